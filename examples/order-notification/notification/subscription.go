package notification

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/rabbit"
)

// prefetch is how many messages the broker sends ahead. A service that stops has to process
// them first.
const prefetch = 10

// subscription is a consumer on a channel of its own, so that an error with one queue does
// not close the other's channel.
type subscription struct {
	channel    *amqp.Channel
	queue      string
	deliveries <-chan amqp.Delivery
}

func subscribe(conn *rabbit.Conn, topology events.Topology, queue string) (*subscription, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, fmt.Errorf("open a channel: %w", err)
	}
	if err := topology.Declare(ch); err != nil {
		return nil, err
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, fmt.Errorf("set the prefetch: %w", err)
	}
	// The queue's name is the consumer tag: there is only one consumer on the channel.
	deliveries, err := ch.Consume(queue, queue, false, false, false, false, nil)
	if err != nil {
		return nil, fmt.Errorf("consume from %s: %w", queue, err)
	}
	return &subscription{channel: ch, queue: queue, deliveries: deliveries}, nil
}

// cancel stops the deliveries. It fails if the connection is down, and then none arrive
// anyway.
func (s *subscription) cancel() { _ = s.channel.Cancel(s.queue, false) }
