// Package inhouse shows how an in-house message client is traced: a line where it sends,
// three where it calls the handler.
package inhouse

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Client is what teams use instead of RabbitMQ's client.
type Client struct {
	exchange string
	pub      *amqptrace.Publisher
	opts     []amqptrace.Option
}

// New returns a client whose events go to an exchange. The channel is in confirm mode.
func New(ch *amqp.Channel, exchange string, opts ...amqptrace.Option) *Client {
	return &Client{exchange, amqptrace.NewPublisher(ch, opts...), opts}
}

// Emit sends an event to its subscribers. The client has a channel, so a publisher is all
// that it needs.
func (c *Client) Emit(ctx context.Context, event, id string, body []byte) error {
	return c.pub.PublishConfirmed(ctx, c.exchange, event, true, false, amqp.Publishing{MessageId: id, Body: body})
}

// Subscribe calls handle for the events of a queue until ch is closed. It must not be the
// channel that publishes: amqp091-go may interleave the frames of basic.consume with those
// of a message. An event that fails is tried once more. Handlers take a body and return an
// error: the span is around the call, and the client reports how it settled the message.
func (c *Client) Subscribe(ch *amqp.Channel, queue string, handle func(context.Context, []byte) error) error {
	deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	cons := amqptrace.NewConsumer(queue, c.opts...)
	for d := range deliveries {
		c.process(cons, d, handle)
	}
	return nil
}

func (c *Client) process(cons *amqptrace.Consumer, d amqp.Delivery, handle func(context.Context, []byte) error) {
	ctx, p := cons.StartProcess(context.Background(), &d) // d.Ack and d.Nack report to it
	defer p.End()
	if p.Result(handle(ctx, d.Body)) != nil {
		_ = d.Nack(false, !d.Redelivered)
	} else {
		_ = d.Ack(false)
	}
}
