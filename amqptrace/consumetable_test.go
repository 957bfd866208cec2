package amqptrace_test

import (
	"context"
	"errors"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func consumeOutcomes() map[string]operation {
	fail := errors.New("failed")
	delivered := "messaging.destination.name=X:k.1:Q messaging.rabbitmq.destination.routing_key=k.1" +
		" messaging.rabbitmq.message.delivery_tag=1 messaging.message.id=m1"
	processed := delivered + " mqtrace.attempt=1"
	return map[string]operation{
		"process: ack": {
			func(s *scene) {
				s.put("m1", nil)
				s.process(s.consumer(s.q), s.take(s.q), func(d amqp.Delivery) error { return d.Ack(false) })
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=ack", false}},
			[]string{"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack"},
		},
		"process: nack": {
			func(s *scene) {
				s.put("m1", nil)
				s.process(s.consumer(s.q), s.take(s.q), func(d amqp.Delivery) error { return d.Nack(false, false) })
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=nack error.type=rejected", true}},
			[]string{"process.duration process Q rejected", "client.consumed.messages process Q rejected", "mqtrace.messages.settled process Q nack"},
		},
		"process: reject": {
			func(s *scene) {
				s.put("m1", nil)
				s.process(s.consumer(s.q), s.take(s.q), func(d amqp.Delivery) error { return d.Reject(false) })
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=reject error.type=rejected", true}},
			[]string{"process.duration process Q rejected", "client.consumed.messages process Q rejected", "mqtrace.messages.settled process Q reject"},
		},
		"process: requeue, then redelivered": {
			func(s *scene) {
				s.put("m1", nil)
				s.process(s.consumer(s.q), s.take(s.q), func(d amqp.Delivery) error { return d.Nack(false, true) })
				s.process(s.consumer(s.q), s.take(s.q), func(d amqp.Delivery) error { return d.Ack(false) })
			},
			[]span{
				{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=requeue", false},
				{"process Q", "consumer", "m1", []string{"m1"}, strings.NewReplacer("tag=1", "tag=2", "attempt=1", "attempt=2").Replace(processed) + " mqtrace.settlement=ack", false},
			},
			[]string{"process.duration process Q", "process.duration process Q", "client.consumed.messages process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q requeue", "mqtrace.messages.settled process Q ack"},
		},
		"process: none, and the handler's error": {
			func(s *scene) {
				s.put("m1", nil)
				s.process(s.consumer(s.q), s.take(s.q), func(amqp.Delivery) error { return fail })
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + " error.type=*errors.errorString", true}},
			[]string{"process.duration process Q *errors.errorString", "client.consumed.messages process Q *errors.errorString"},
		},
		"process: dead letter": {
			func(s *scene) {
				s.put("m1", nil)
				s.ok(s.take(s.q).Reject(false))
				s.process(s.consumer(s.d), s.take(s.d), func(d amqp.Delivery) error { return d.Ack(false) })
			},
			[]span{{"process D", "consumer", "m1", []string{"m1"}, "messaging.destination.name=D messaging.rabbitmq.destination.routing_key=D" +
				" messaging.rabbitmq.message.delivery_tag=2 messaging.message.id=m1 mqtrace.attempt=1 mqtrace.settlement=ack" +
				" mqtrace.dead_letter.count=1 mqtrace.dead_letter.queues=[Q] mqtrace.dead_letter.reasons=[rejected]" +
				" mqtrace.dead_letter.counts=[1] mqtrace.dead_letter.times=[TIME]", false}},
			[]string{"process.duration process D", "client.consumed.messages process D", "mqtrace.messages.settled process D ack"},
		},
		"process: no context": {
			func(s *scene) {
				s.ok(s.ch.PublishWithContext(context.Background(), s.x, "k.1", false, false, amqp.Publishing{MessageId: "m1"}))
				s.process(s.consumer(s.q), s.take(s.q), func(d amqp.Delivery) error { return d.Ack(false) })
			},
			[]span{{"process Q", "consumer", "none", nil, processed + " mqtrace.settlement=ack", false}},
			[]string{"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.without_context process Q", "mqtrace.messages.settled process Q ack"},
		},
		"process: automatic acknowledgement": {
			func(s *scene) {
				s.put("m1", nil)
				d, _, err := s.ch.Get(s.q, true)
				s.ok(err)
				s.process(s.consumer(s.q), d, func(amqp.Delivery) error { return nil })
			},
			[]span{{"process Q", "consumer", "m1", []string{"m1"}, processed + "", false}},
			[]string{"process.duration process Q", "client.consumed.messages process Q"},
		},
		"process: a trace of its own, under an ambient span": {
			func(s *scene) {
				s.put("m1", nil)
				c := s.consumer(s.q, amqptrace.WithRelation(amqptrace.NewTrace))
				s.ok(c.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(s.ctx, s.take(s.q)))
			},
			[]span{{"process Q", "consumer", "none", []string{"m1", "caller"}, processed + " mqtrace.settlement=ack", false}},
			[]string{"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack"},
		},
		"process: settle spans": {
			func(s *scene) {
				s.put("m1", nil)
				s.process(s.consumer(s.q, amqptrace.WithSettleSpans()), s.take(s.q), func(d amqp.Delivery) error { return d.Ack(false) })
			},
			[]span{
				{"ack Q", "client", "process Q", []string{"m1"}, delivered + " mqtrace.settlement=ack", false},
				{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=ack", false},
			},
			[]string{"client.operation.duration ack Q", "process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack"},
		},
		"process: settled afterwards": {
			func(s *scene) {
				s.put("m1", nil)
				var later amqp.Delivery
				s.process(s.consumer(s.q), s.take(s.q), func(d amqp.Delivery) error { later = d; return nil })
				s.ok(later.Reject(true))
			},
			[]span{
				{"process Q", "consumer", "m1", []string{"m1"}, processed + "", false},
				{"reject Q", "client", "process Q", []string{"m1", "process Q"}, delivered + " mqtrace.settlement=requeue", false},
			},
			[]string{"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q requeue"},
		},
		"get, then process": {
			func(s *scene) {
				s.put("m1", nil)
				c := s.consumer(s.q)
				d, ok, err := c.Get(s.ctx, s.ch, false)
				if !ok || err != nil {
					s.Fatal(ok, err)
				}
				s.process(c, d, func(d amqp.Delivery) error { return d.Ack(false) })
			},
			[]span{
				{"get Q", "client", "caller", []string{"m1"}, delivered, false},
				{"process Q", "consumer", "m1", []string{"m1"}, processed + " mqtrace.settlement=ack", false},
			},
			[]string{"client.operation.duration get Q", "client.consumed.messages get Q", "process.duration process Q", "mqtrace.messages.settled process Q ack"},
		},
		"get: empty": {
			func(s *scene) { s.get(s.consumer(s.q)) },
			nil, nil,
		},
		"get: empty, asked for": {
			func(s *scene) { s.get(s.consumer(s.q, amqptrace.WithEmptyReceives())) },
			[]span{{"get Q", "client", "caller", nil, "messaging.destination.name=Q", false}},
			[]string{"client.operation.duration get Q"},
		},
		"get: failed": {
			func(s *scene) {
				_, _, err := s.consumer("no-such-queue").Get(s.ctx, s.ch, false)
				var host *amqp.Error
				if !errors.As(err, &host) || host.Code != amqp.NotFound {
					s.Errorf("error %v, want the host's", err)
				}
				s.ch = s.reopen()
			},
			[]span{{"get no-such-queue", "client", "caller", nil, "messaging.destination.name=no-such-queue error.type=NOT_FOUND", true}},
			[]string{"client.operation.duration get no-such-queue NOT_FOUND"},
		},
		"batch": {
			func(s *scene) {
				s.put("m1", nil)
				s.put("m2", nil)
				batch := []amqp.Delivery{s.take(s.q), s.take(s.q)}
				s.ok(s.consumer(s.q).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
					return ds[1].Ack(true)
				})(s.ctx, batch))
			},
			[]span{{"process Q", "consumer", "caller", []string{"m1", "m2"}, "messaging.destination.name=X:k.1:Q" +
				" messaging.rabbitmq.destination.routing_key=k.1 messaging.batch.message_count=2 mqtrace.attempt=1 mqtrace.settlement=ack", false}},
			[]string{"process.duration process Q", "client.consumed.messages process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack", "mqtrace.messages.settled process Q ack"},
		},
		"batch: one given up, no ambient span": {
			func(s *scene) {
				s.put("m1", nil)
				s.put("m2", nil)
				batch := []amqp.Delivery{s.take(s.q), s.take(s.q)}
				s.ok(s.consumer(s.q).BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
					return errors.Join(ds[0].Ack(false), ds[1].Reject(false))
				})(context.Background(), batch))
			},
			[]span{{"process Q", "consumer", "none", []string{"m1", "m2", "m2"}, "messaging.destination.name=X:k.1:Q" +
				" messaging.rabbitmq.destination.routing_key=k.1 messaging.batch.message_count=2 mqtrace.attempt=1 mqtrace.settlement=reject error.type=rejected", true}},
			[]string{"process.duration process Q rejected", "client.consumed.messages process Q rejected", "client.consumed.messages process Q rejected", "mqtrace.messages.settled process Q ack", "mqtrace.messages.settled process Q reject"},
		},
	}
}
