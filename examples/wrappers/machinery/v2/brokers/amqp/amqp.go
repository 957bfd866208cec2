// Package amqp stands for github.com/RichardKnop/machinery/v2/brokers/amqp. Its constructor
// takes a channel.
package amqp

import (
	"context"
	"encoding/json"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/brokers/iface"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/config"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/tasks"
)

type broker struct {
	config *config.Config
	ch     *amqp.Channel
}

// New returns a broker on a channel in confirm mode.
func New(cnf *config.Config, ch *amqp.Channel) iface.Broker { return broker{cnf, ch} }

func (b broker) GetConfig() *config.Config { return b.config }

func (b broker) AdjustRoutingKey(s *tasks.Signature) {
	if s.RoutingKey == "" {
		s.RoutingKey = b.config.DefaultQueue
	}
}

// Publish waits for the confirm.
func (b broker) Publish(ctx context.Context, s *tasks.Signature) error {
	b.AdjustRoutingKey(s)
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	c, err := b.ch.PublishWithDeferredConfirmWithContext(ctx, b.config.AMQP.Exchange, s.RoutingKey, false, false,
		amqp.Publishing{Headers: amqp.Table(s.Headers), ContentType: "application/json", Body: body})
	if err != nil {
		return err
	}
	if !c.Wait() {
		return fmt.Errorf("failed delivery of delivery tag: %d", c.DeliveryTag)
	}
	return nil
}

// StartConsuming processes tasks until the channel is closed, and acks all of them.
func (b broker) StartConsuming(consumerTag string, _ int, p iface.TaskProcessor) (bool, error) {
	queue := p.CustomQueue()
	if queue == "" {
		queue = b.config.DefaultQueue
	}
	deliveries, err := b.ch.Consume(queue, consumerTag, false, false, false, false, nil)
	if err != nil {
		return true, err
	}
	for d := range deliveries {
		s := new(tasks.Signature)
		if err := json.Unmarshal(d.Body, s); err != nil {
			_ = d.Nack(false, false)
			continue
		}
		err := p.Process(s)
		_ = d.Ack(false)
		if err != nil {
			return true, err
		}
	}
	return false, nil
}
