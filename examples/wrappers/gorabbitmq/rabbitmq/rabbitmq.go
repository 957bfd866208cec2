// Package rabbitmq stands for github.com/wagslane/go-rabbitmq: the part of its API that the
// adapter uses, with the same signatures. Its constructors take a channel.
package rabbitmq

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Table has the headers of a message.
type Table map[string]any

// PublishOptions are how a message is published.
type PublishOptions struct {
	Exchange      string
	Mandatory     bool
	MessageID     string
	CorrelationID string
	Headers       Table
}

// WithPublishOptionsExchange sets the exchange.
func WithPublishOptionsExchange(exchange string) func(*PublishOptions) {
	return func(o *PublishOptions) { o.Exchange = exchange }
}

// WithPublishOptionsMandatory makes the message mandatory.
func WithPublishOptionsMandatory(o *PublishOptions) { o.Mandatory = true }

// WithPublishOptionsMessageID sets the message id.
func WithPublishOptionsMessageID(id string) func(*PublishOptions) {
	return func(o *PublishOptions) { o.MessageID = id }
}

// WithPublishOptionsHeaders sets the headers.
func WithPublishOptionsHeaders(headers Table) func(*PublishOptions) {
	return func(o *PublishOptions) { o.Headers = headers }
}

// Publisher publishes.
type Publisher struct{ ch *amqp.Channel }

// NewPublisher returns a publisher on a channel in confirm mode.
func NewPublisher(ch *amqp.Channel) *Publisher { return &Publisher{ch} }

// PublisherConfirmation has a confirmation for each routing key.
type PublisherConfirmation []*amqp.DeferredConfirmation

// PublishWithDeferredConfirmWithContext publishes to each routing key.
func (p *Publisher) PublishWithDeferredConfirmWithContext(
	ctx context.Context, data []byte, routingKeys []string, optionFuncs ...func(*PublishOptions),
) (PublisherConfirmation, error) {
	var o PublishOptions
	for _, f := range optionFuncs {
		f(&o)
	}
	var all PublisherConfirmation
	for _, key := range routingKeys {
		c, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, o.Exchange, key, o.Mandatory, false, amqp.Publishing{
			Headers: amqp.Table(o.Headers), MessageId: o.MessageID, CorrelationId: o.CorrelationID, Body: data,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// Action is what a handler wants done with a message.
type Action int

// The actions.
const (
	Ack Action = iota
	NackDiscard
	NackRequeue
	Manual
)

// Delivery is a message.
type Delivery struct{ amqp.Delivery }

// Handler handles a message.
type Handler func(d Delivery) Action

// Consumer consumes from a queue.
type Consumer struct {
	ch    *amqp.Channel
	queue string
}

// NewConsumer returns a consumer of a queue.
func NewConsumer(ch *amqp.Channel, queue string) *Consumer { return &Consumer{ch, queue} }

// Run handles messages until the channel is closed.
func (c *Consumer) Run(handler Handler) error {
	deliveries, err := c.ch.Consume(c.queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for d := range deliveries {
		switch handler(Delivery{d}) {
		case Ack:
			err = d.Ack(false)
		case NackDiscard:
			err = d.Nack(false, false)
		case NackRequeue:
			err = d.Nack(false, true)
		case Manual:
		}
		if err != nil {
			return err
		}
	}
	return nil
}
