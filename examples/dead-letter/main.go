// Command dead-letter shows messages that are retried after a while, with all attempts in
// one trace: in a loop of dead-lettering and TTL, and by a delayed requeue.
package main

import (
	"context"
	"errors"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name: "dead-letter",
	Run:  run,
	LookAt: `
Look at the attempts: they stand side by side under the one publish, with the pause before each. In the first two
traces, the messages go round a dead-letter loop: one succeeds at last, and the other is parked by a publish under its
last attempt. In the third, the consumer holds the message for a while and then requeues it: the nack came after its
attempt had ended, so it has a span of its own.`,
	Attributes: []string{"mqtrace.settlement", "mqtrace.dead_letter.queues", "mqtrace.dead_letter.counts"},
}

func main() { example.Main() }

var errBusy = errors.New("the carrier's API is busy")

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	q, err := declare(s, ch)
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	worker := amqptrace.WithTracerProvider(s.Service("worker"))
	pub := amqptrace.NewPublisher(ch, worker)
	parcels, err := s.Consume(q.parcels, 10)
	if err != nil {
		return err
	}
	s.Go(func() error {
		return retryLoop(ctx, amqptrace.NewConsumer(q.parcels, worker), parcels, pub, q, succeedAt(3))
	})
	labels, err := s.Consume(q.labels, 10)
	if err != nil {
		return err
	}
	s.Go(func() error {
		return requeueLater(ctx, amqptrace.NewConsumer(q.labels, worker), labels, succeedAt(3))
	})

	shop := s.Service("shop")
	for _, m := range []struct {
		queue, body string
		attempts    int // on this queue so far
	}{
		{q.parcels, "to Kyoto", maxAttempts},
		{q.parcels, "to nowhere", 2 * maxAttempts},
		{q.labels, "for Kyoto", 3},
	} {
		if err := ship(ctx, shop, ch, m.queue, m.body); err != nil {
			return err
		}
		if err := s.Await(ctx, m.attempts, "process "+m.queue); err != nil {
			return err
		}
	}
	return s.Await(ctx, 2, "nack "+q.labels)
}

func ship(ctx context.Context, shop trace.TracerProvider, ch *amqp.Channel, queue, body string) error {
	ctx, span := shop.Tracer("shop").Start(ctx, "ship "+body)
	defer span.End()
	pub := amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(shop))
	return pub.PublishConfirmed(ctx, "", queue, true, false, amqp.Publishing{Body: []byte(body)})
}

// succeedAt returns work that succeeds at the nth attempt, or never for some bodies.
func succeedAt(n int) func(ctx context.Context, body []byte) error {
	var mu sync.Mutex
	done := make(map[string]int)
	return func(_ context.Context, body []byte) error {
		mu.Lock()
		defer mu.Unlock()
		done[string(body)]++
		if string(body) == "to nowhere" || done[string(body)] < n {
			return errBusy
		}
		return nil
	}
}

// queues are the names on this broker.
type queues struct{ parcels, retry, parked, labels string }

func declare(s *showcase.Stage, ch *amqp.Channel) (queues, error) {
	q := queues{
		parcels: s.Name("parcels"), retry: s.Name("parcels.retry"),
		parked: s.Name("parcels.parked"), labels: s.Name("labels"),
	}
	for name, args := range map[string]amqp.Table{
		"parcels":        loopArguments(q.retry),
		"parcels.retry":  pauseArguments(q.parcels),
		"parcels.parked": nil,
		// A quorum queue counts deliveries. A classic one only marks redeliveries.
		"labels": {amqp.QueueTypeArg: amqp.QueueTypeQuorum},
	} {
		if _, err := s.Queue(ch, name, args); err != nil {
			return queues{}, err
		}
	}
	return q, nil
}
