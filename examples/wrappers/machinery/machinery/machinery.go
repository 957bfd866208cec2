// Package machinery stands for github.com/RichardKnop/machinery/v2: the part of its packages
// tasks, brokers/iface, brokers/amqp and config that the adapter uses, with the same signatures,
// and a worker whose tasks take a string.
package machinery

import (
	"context"
	"encoding/json"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Headers are the headers of a task.
type Headers map[string]any

// Signature is a call of a task.
type Signature struct {
	UUID       string  `json:"UUID"`
	Name       string  `json:"Name"`
	RoutingKey string  `json:"RoutingKey"`
	Headers    Headers `json:"Headers"`
	Arg        string  `json:"Arg"`
}

// Config says where tasks go.
type Config struct{ Exchange, DefaultQueue string }

// TaskProcessor is a worker.
type TaskProcessor interface {
	Process(signature *Signature) error
	CustomQueue() string
}

// Broker transports tasks.
type Broker interface {
	GetConfig() *Config
	StartConsuming(consumerTag string, concurrency int, p TaskProcessor) (bool, error)
	Publish(ctx context.Context, task *Signature) error
	AdjustRoutingKey(s *Signature)
}

type broker struct {
	config Config
	ch     *amqp.Channel
}

// NewBroker returns a broker on a channel in confirm mode.
func NewBroker(config Config, ch *amqp.Channel) Broker { return broker{config, ch} }

func (b broker) GetConfig() *Config { return &b.config }

func (b broker) AdjustRoutingKey(s *Signature) {
	if s.RoutingKey == "" {
		s.RoutingKey = b.config.DefaultQueue
	}
}

// Publish waits for the confirm.
func (b broker) Publish(ctx context.Context, s *Signature) error {
	b.AdjustRoutingKey(s)
	body, err := json.Marshal(s)
	if err != nil {
		return err
	}
	c, err := b.ch.PublishWithDeferredConfirmWithContext(ctx, b.config.Exchange, s.RoutingKey, false, false,
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
func (b broker) StartConsuming(consumerTag string, _ int, p TaskProcessor) (bool, error) {
	queue := p.CustomQueue()
	if queue == "" {
		queue = b.config.DefaultQueue
	}
	deliveries, err := b.ch.Consume(queue, consumerTag, false, false, false, false, nil)
	if err != nil {
		return true, err
	}
	for d := range deliveries {
		s := new(Signature)
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

type signatureKey struct{}

// SignatureFromContext returns the signature of the task that ctx belongs to.
func SignatureFromContext(ctx context.Context) *Signature {
	s, _ := ctx.Value(signatureKey{}).(*Signature)
	return s
}

// Worker calls registered tasks. What a task returns does not come back from Process.
type Worker map[string]func(ctx context.Context, arg string) error

// Process calls a task.
func (w Worker) Process(s *Signature) error {
	if task := w[s.Name]; task != nil {
		_ = task(context.WithValue(context.Background(), signatureKey{}, s), s.Arg)
	}
	return nil
}

// CustomQueue returns "": the default queue.
func (w Worker) CustomQueue() string { return "" }
