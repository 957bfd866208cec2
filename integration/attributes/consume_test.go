package attributes_test

import (
	"context"
	"errors"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// getter is a host's channel that returns what is in it.
type getter struct{ d amqp.Delivery }

func (g getter) Get(string, bool) (amqp.Delivery, bool, error) { return g.d, true, nil }

// get produces every outcome of a get, from queues with names of all kinds.
func (s *amqpScene) get() {
	for {
		d, ok, err := s.consumer(queue).Get(ctx, s.ch, false)
		s.ok(err)
		if !ok {
			break // everything published, then the empty queue
		}
		s.ok(d.Ack(false))
	}
	temporary, err := s.ch.QueueDeclare("", false, true, true, false, nil)
	s.ok(err)
	_, _, err = s.consumer(temporary.Name).Get(ctx, s.ch, false)
	s.ok(err)
	_, _, err = s.consumer(replies).Get(ctx, getter{s.delivery(replies + ".g1h2")}, true)
	s.ok(err)
	if _, _, err = s.consumer("missing").Get(ctx, s.channel(), false); err == nil {
		s.Error("there is a message in a queue that is missing")
	}
}

// process produces every settlement of a message on the broker, and its death.
func (s *amqpScene) process() {
	for _, settle := range []func(d amqp.Delivery) error{
		func(d amqp.Delivery) error { return d.Nack(false, true) },
		func(d amqp.Delivery) error { return d.Nack(false, false) },
		func(d amqp.Delivery) error { return d.Ack(false) },
		func(d amqp.Delivery) error { return d.Reject(false) },
		func(amqp.Delivery) error { return errors.New("no stock") },
	} {
		s.ok(s.publisher(s.ch).PublishConfirmed(ctx, exchange, key, true, false, message))
		_ = s.consumer(queue).Handler(func(_ context.Context, d amqp.Delivery) error { return settle(d) })(ctx, s.take(queue))
	}
	s.ok(s.consumer(dead).Handler(func(_ context.Context, d amqp.Delivery) error { return d.Reject(true) })(ctx, s.take(dead)))
	func() {
		defer func() { _ = recover() }()
		_ = s.consumer(dead).Handler(func(context.Context, amqp.Delivery) error { panic("poison") })(ctx, s.take(dead))
	}()
}

// settler settles deliveries in place of the host.
type settler struct{ err error }

func (s settler) Ack(uint64, bool) error        { return s.err }
func (s settler) Nack(uint64, bool, bool) error { return s.err }
func (s settler) Reject(uint64, bool) error     { return s.err }

// delivery returns a message from the default exchange that no broker has delivered.
func (s *amqpScene) delivery(key string) amqp.Delivery {
	headers := s.traced()
	headers["mqtrace-sent-at"] = strconv.FormatInt(time.Now().UnixMicro(), 10)
	return amqp.Delivery{
		Acknowledger: settler{}, Headers: headers, RoutingKey: key,
		DeliveryTag: 1, MessageId: "m1", CorrelationId: "c1", Body: []byte("{}"),
	}
}

// processOf processes messages of a queue, whose name may be one that a broker generated.
func (s *amqpScene) processOf(name string) {
	handle := s.consumer(name).Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })
	d := s.delivery("reply")
	s.ok(handle(ctx, d))
	d.Headers = nil
	s.ok(handle(ctx, d))
	d.Acknowledger = settler{errors.New("not written")}
	if err := handle(ctx, d); err == nil {
		s.Error("the settlement did not fail")
	}
	batch := s.consumer(name).BatchHandler(func(context.Context, []amqp.Delivery) error { return errors.New("no database") })
	if err := batch(ctx, []amqp.Delivery{s.delivery("reply"), s.delivery("reply")}); err == nil {
		s.Error("the batch did not fail")
	}
}

// batch processes batches of messages that differ in everything, that are settled in
// different ways, and that are too many.
func (s *amqpScene) batch() {
	s.ok(s.publisher(s.ch).PublishConfirmed(ctx, exchange, key, true, false, message))
	s.ok(s.take(queue).Reject(false))
	first, second, last := s.take(dead), s.delivery(dead), s.delivery("")
	second.MessageId, second.CorrelationId, second.DeliveryTag, second.Body = "m2", "c2", 2, nil
	second.Exchange, second.Redelivered = exchange, true
	last.Headers = nil
	handle := s.consumer(dead).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
		return errors.Join(ds[0].Ack(false), ds[1].Reject(false))
	})
	s.ok(handle(ctx, []amqp.Delivery{first, second, last}))
	// All of them dead letters of one queue.
	s.ok(s.consumer(dead).BatchHandler(func(context.Context, []amqp.Delivery) error { return nil })(ctx, []amqp.Delivery{first}))

	var many []amqp.Delivery
	for range 129 { // one more than the SDK's limit on links
		many = append(many, s.delivery(dead))
	}
	s.ok(s.consumer(dead).BatchHandler(func(context.Context, []amqp.Delivery) error { return nil })(ctx, many))
}
