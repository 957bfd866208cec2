// Command cost publishes and processes as many messages as its argument says, on a broker
// of its own. It is built three times: as it is, with orchestrion, and with amqptrace
// called by hand (-tags byhand).
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

const queue = "cost"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run() error {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	broker, err := amqpbroker.Start()
	if err != nil {
		return err
	}
	defer broker.Close()
	conn, err := amqp.Dial(broker.URL())
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(queue, false, false, false, false, nil); err != nil {
		return err
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	publish, process := traced(ch)
	ctx, body := context.Background(), make([]byte, 512)
	for range n {
		if err := publish(ctx, "", queue, false, false, amqp.Publishing{Body: body}); err != nil {
			return err
		}
		if err := process(ctx, <-deliveries); err != nil {
			return err
		}
	}
	return nil
}

func ack(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }

type (
	publisher = func(ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing) error
	processor = func(ctx context.Context, d amqp.Delivery) error
)
