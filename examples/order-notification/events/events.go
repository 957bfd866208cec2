// Package events defines what the order service and the notification service agree on:
// where order events are published and what is in them.
package events

import (
	"encoding/json"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// OrderCreatedKey is the routing key of [OrderCreated].
const OrderCreatedKey = "order.created"

// OrderCreated is the event that an order was accepted and paid.
type OrderCreated struct {
	OrderID string `json:"order_id"`
	Email   string `json:"email"`
	Total   int    `json:"total"` // in cents
}

// MalformedError is returned for a message body that cannot be parsed, however often it is
// retried.
type MalformedError struct{ reason string }

func (e *MalformedError) Error() string { return "malformed order event: " + e.reason }

// ParseOrderCreated reads the body of a message. Its errors are
// *[MalformedError].
func ParseOrderCreated(body []byte) (OrderCreated, error) {
	var event OrderCreated
	if err := json.Unmarshal(body, &event); err != nil {
		return OrderCreated{}, &MalformedError{err.Error()}
	}
	if event.OrderID == "" || event.Email == "" {
		return OrderCreated{}, &MalformedError{"order_id or email is missing"}
	}
	return event, nil
}

// Topology names the exchanges and queues of order events.
type Topology struct {
	Exchange           string
	DeadLetterExchange string
	Queue              string
	DeadLetterQueue    string
}

// NewTopology returns the names, each with a prefix, which is empty in production and
// unique if a broker is shared with others.
func NewTopology(prefix string) Topology {
	return Topology{
		Exchange:           prefix + "orders",
		DeadLetterExchange: prefix + "orders.dead-letter",
		Queue:              prefix + "order-notifications",
		DeadLetterQueue:    prefix + "order-notifications.dead-letter",
	}
}

// Declare declares the exchanges, queues and bindings. Both services call it, so that no
// event is lost, whichever starts first.
func (t Topology) Declare(ch *amqp.Channel) error {
	for _, exchange := range []string{t.Exchange, t.DeadLetterExchange} {
		if err := ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
			return fmt.Errorf("declare exchange %s: %w", exchange, err)
		}
	}
	for _, queue := range []struct {
		name, exchange, key string
		args                amqp.Table
	}{
		{t.Queue, t.Exchange, "order.*", amqp.Table{"x-dead-letter-exchange": t.DeadLetterExchange}},
		{t.DeadLetterQueue, t.DeadLetterExchange, "#", nil},
	} {
		if _, err := ch.QueueDeclare(queue.name, true, false, false, false, queue.args); err != nil {
			return fmt.Errorf("declare queue %s: %w", queue.name, err)
		}
		if err := ch.QueueBind(queue.name, queue.key, queue.exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %s: %w", queue.name, err)
		}
	}
	return nil
}

// Delete deletes what Declare declared, messages included.
func (t Topology) Delete(ch *amqp.Channel) error {
	var errs []error
	for _, queue := range []string{t.Queue, t.DeadLetterQueue} {
		_, err := ch.QueueDelete(queue, false, false, false)
		errs = append(errs, err)
	}
	for _, exchange := range []string{t.Exchange, t.DeadLetterExchange} {
		errs = append(errs, ch.ExchangeDelete(exchange, false, false))
	}
	return errors.Join(errs...)
}
