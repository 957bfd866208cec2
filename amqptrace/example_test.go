package amqptrace_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func ExampleNewPublisher() {
	conn, err := amqp.Dial("amqp://guest:guest@localhost:5672/")
	if err != nil {
		log.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}

	pub := amqptrace.NewPublisher(ch)

	ctx := context.Background() // in a server, that of the request
	err = pub.PublishWithContext(ctx, "orders", "order.created", false, false, amqp.Publishing{
		ContentType: "application/json",
		Body:        []byte(`{"id":"o-1"}`),
	})
	if err != nil {
		log.Print(err)
	}
}

func ExampleNewConsumer() {
	handle := amqptrace.NewConsumer("billing").Handler(func(_ context.Context, d amqp.Delivery) error {
		fmt.Printf("%s\n", d.Body)
		return d.Ack(false)
	})

	// A worker of a pool gets its deliveries from the host:
	var deliveries <-chan amqp.Delivery // from ch.Consume("billing", …)
	worker := func(ctx context.Context) {
		for d := range deliveries {
			if err := handle(ctx, d); err != nil {
				log.Print(err)
			}
		}
	}
	_ = worker
}

func ExampleConsumer_Deliveries() {
	consumer := amqptrace.NewConsumer("billing")

	deliveries := make(chan amqp.Delivery, 1) // from ch.Consume("billing", …)
	deliveries <- amqp.Delivery{Body: []byte("an order")}
	close(deliveries)

	for ctx, d := range consumer.Deliveries(context.Background(), deliveries) {
		if err := process(ctx, d.Body); err != nil {
			amqptrace.Fail(ctx, err)
		}
	}
	// Output: processing an order
}

func process(_ context.Context, body []byte) error {
	fmt.Printf("processing %s\n", body)
	return nil
}

func ExamplePublisher_PublishDeferred() {
	var ch *amqp.Channel // in confirm mode: ch.Confirm(false)
	publishAll := func(ctx context.Context, msgs []amqp.Publishing) error {
		pub := amqptrace.NewPublisher(ch)
		var confirmations []*amqptrace.Confirmation
		for _, msg := range msgs {
			c, err := pub.PublishDeferred(ctx, "orders", "order.created", true, false, msg)
			if err != nil {
				return err
			}
			confirmations = append(confirmations, c)
		}
		for _, c := range confirmations {
			switch err := c.Wait(ctx); {
			case errors.Is(err, amqptrace.ErrReturned):
				log.Print("no queue is bound: ", err)
			case err != nil:
				return err
			}
		}
		return nil
	}
	_ = publishAll
}

func ExampleConsumer_BatchHandler() {
	insert := func(context.Context, []amqp.Delivery) error { return nil } // all rows in one statement

	handle := amqptrace.NewConsumer("billing").BatchHandler(func(ctx context.Context, ds []amqp.Delivery) error {
		if err := insert(ctx, ds); err != nil {
			return err
		}
		return ds[len(ds)-1].Ack(true)
	})
	_ = handle // call it with the deliveries that you have collected
}

func ExampleWithRelation() {
	// A message that waited for more than five minutes starts a trace of its own,
	// linked to the one that it came from.
	consumer := amqptrace.NewConsumer("billing",
		amqptrace.WithQueueTime(),
		amqptrace.WithRelation(amqptrace.ContinueWithin(5*time.Minute)))
	_ = consumer
}
