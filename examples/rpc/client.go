package main

import (
	"context"
	"strconv"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// directReplyTo is a pseudo-queue: RabbitMQ replaces it in a request with an address, and
// delivers what is published to that address directly to the client.
// https://www.rabbitmq.com/docs/direct-reply-to
const directReplyTo = "amq.rabbitmq.reply-to"

// client sends requests and matches replies to their callers.
type client struct {
	pub     *amqptrace.Publisher
	cons    *amqptrace.Consumer
	replyTo string
	replies <-chan amqp.Delivery

	mu      sync.Mutex
	last    uint64
	waiting map[string]chan<- []byte // by correlation id
}

// newDirectClient returns a client that uses direct reply-to. It must publish on the
// channel that it consumes on, and consume without acknowledgements.
func newDirectClient(conn *amqp.Connection, opts ...amqptrace.Option) (*client, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	return newClient(ch, directReplyTo, opts)
}

// newQueueClient returns a client with its own reply queue, which the broker names and
// deletes with the connection.
func newQueueClient(conn *amqp.Connection, opts ...amqptrace.Option) (*client, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	queue, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		return nil, err
	}
	return newClient(ch, queue.Name, opts)
}

func newClient(ch *amqp.Channel, replyTo string, opts []amqptrace.Option) (*client, error) {
	replies, err := ch.Consume(replyTo, "", true, true, false, false, nil)
	if err != nil {
		return nil, err
	}
	return &client{
		pub:     amqptrace.NewPublisher(ch, opts...),
		cons:    amqptrace.NewConsumer(replyTo, opts...),
		replyTo: replyTo,
		replies: replies,
		waiting: make(map[string]chan<- []byte),
	}, nil
}

// call sends a request and waits for its reply.
func (c *client) call(ctx context.Context, queue string, body []byte) ([]byte, error) {
	reply := make(chan []byte, 1)
	c.mu.Lock()
	c.last++
	id := strconv.FormatUint(c.last, 10) // Only this client gets the replies: unique here is enough.
	c.waiting[id] = reply
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, id)
	}()
	// The correlation id is messaging.message.conversation_id on all of the spans.
	err := c.pub.PublishWithContext(ctx, "", queue, false, false, amqp.Publishing{
		ReplyTo: c.replyTo, CorrelationId: id, Body: body,
	})
	if err != nil {
		return nil, err
	}
	select {
	case body := <-reply:
		return body, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// receive hands replies to their callers. ctx has no span, so each reply continues the
// trace of its request.
func (c *client) receive(ctx context.Context) error {
	for _, d := range c.cons.Deliveries(ctx, c.replies) {
		c.mu.Lock()
		if caller, ok := c.waiting[d.CorrelationId]; ok {
			caller <- d.Body
			delete(c.waiting, d.CorrelationId) // Nothing waits for a second reply.
		}
		c.mu.Unlock()
	}
	return nil
}
