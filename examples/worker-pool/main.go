// Command worker-pool shows several workers on one queue, with a span for each message as a
// child of its publish.
package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

const photos = 6

var example = showcase.Example{
	Name: "worker-pool",
	Run:  run,
	LookAt: `
Look at the start column: three photos at a time, while the others wait in the queue. Each worker's span is under the
publish of its own message. One photo is broken: its span says why, and that the message was rejected.`,
	Attributes: []string{"messaging.message.id", "mqtrace.settlement"},
}

func main() { example.Main() }

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	queue, err := s.Queue(ch, "photos", nil)
	if err != nil {
		return err
	}
	deliveries, err := s.Consume(queue, workers)
	if err != nil {
		return err
	}
	cons := amqptrace.NewConsumer(queue, amqptrace.WithTracerProvider(s.Service("thumbnails")))
	s.Go(func() error {
		pool(ctx, cons, deliveries, shrink)
		return nil
	})
	if err := upload(ctx, s, ch, queue); err != nil {
		return err
	}
	return s.Await(ctx, photos, "process "+queue)
}

func upload(ctx context.Context, s *showcase.Stage, ch *amqp.Channel, queue string) error {
	site := s.Service("site")
	pub := amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(site))
	ctx, span := site.Tracer("site").Start(ctx, "upload album")
	defer span.End()
	for i := range photos {
		photo := "photo-" + strconv.Itoa(i+1)
		msg := amqp.Publishing{MessageId: photo, Body: []byte(photo)}
		if err := pub.PublishWithContext(ctx, "", queue, false, false, msg); err != nil {
			return err
		}
	}
	return nil
}

var errBroken = errors.New("not a JPEG")

func shrink(_ context.Context, photo []byte) error {
	time.Sleep(30 * time.Millisecond)
	if string(photo) == "photo-4" {
		return errBroken
	}
	return nil
}
