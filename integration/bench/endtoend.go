package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
)

const (
	perTurn  = 500              // messages that go through a server in a turn
	patience = 30 * time.Second // with a turn, after which a message counts as lost
)

// onRabbitMQ publishes messages with confirms, and consumes and acknowledges them at the
// same time.
func onRabbitMQ(url, queue string, tp trace.TracerProvider) (work, error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, err
	}
	closers = append(closers, func() { _ = conn.Close() }) // and with it goes the exclusive queue
	out, err1 := conn.Channel()
	in, err2 := conn.Channel()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	_, err1 = out.QueueDeclare(queue, false, true, true, false, nil)
	deliveries, err2 := in.Consume(queue, "", false, true, false, false, nil)
	if err := errors.Join(err1, err2, out.Confirm(false)); err != nil {
		return nil, err
	}
	handle := acknowledge
	publish := func(ctx context.Context) (func(context.Context) error, error) {
		c, err := out.PublishWithDeferredConfirmWithContext(ctx, "", queue, false, false, order())
		return func(ctx context.Context) error { _, err := c.WaitContext(ctx); return err }, err
	}
	if tp != nil {
		handle = amqptrace.NewConsumer(queue, options(tp)...).Handler(acknowledge)
		pub := amqptrace.NewPublisher(out, options(tp)...)
		publish = func(ctx context.Context) (func(context.Context) error, error) {
			c, err := pub.PublishDeferred(ctx, "", queue, false, false, order())
			return func(ctx context.Context) error { return c.Wait(ctx) }, err
		}
	}
	handled := make(chan struct{}, perTurn)
	go func() {
		for d := range deliveries {
			if handle(context.Background(), d) == nil {
				handled <- struct{}{}
			}
		}
	}()
	return turnOf(publish, handled), nil
}

// A send sends a message, and returns a function that waits until the server has confirmed
// it.
type send func(ctx context.Context) (confirmed func(context.Context) error, err error)

// turnOf returns a work that sends messages and waits until all have been handled.
func turnOf(s send, handled <-chan struct{}) work {
	return func(n int) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		sent := make([]func(context.Context) error, 0, n)
		for range n {
			confirmed, err := s(ctx)
			if err != nil {
				return err
			}
			sent = append(sent, confirmed)
		}
		for _, confirmed := range sent {
			if err := confirmed(ctx); err != nil {
				return err
			}
		}
		for i := range n {
			select {
			case <-handled:
			case <-ctx.Done():
				return fmt.Errorf("%d of %d messages were handled within %v", i, n, patience)
			}
		}
		return nil
	}
}

// onRedis enqueues tasks one after the other, with ten workers at work.
func onRedis(addr, queue string, tp trace.TracerProvider) (work, error) {
	opt, err := asynqredis.Parse(addr)
	if err != nil {
		return nil, fmt.Errorf("MQTRACE_REDIS_ADDR: %w", err)
	}
	client, mux := asynq.NewClient(opt), asynq.NewServeMux()
	enqueue := client.EnqueueContext
	config := asynq.Config{
		Concurrency: 10, Queues: map[string]int{queue: 1}, LogLevel: asynq.FatalLevel, TaskCheckInterval: 5 * time.Millisecond,
	}
	if tp != nil {
		enqueue = asynqtrace.NewClient(client, taskOptions(tp)...).EnqueueContext
		mux.Use(asynqtrace.Middleware(taskOptions(tp)...))
		config = asynqtrace.Config(config, taskOptions(tp)...)
	}
	handled := make(chan struct{}, perTurn)
	mux.HandleFunc(taskType, func(context.Context, *asynq.Task) error {
		handled <- struct{}{}
		return nil
	})
	worker := asynq.NewServer(opt, config)
	if err := worker.Start(mux); err != nil {
		return nil, err
	}
	closers = append(closers, func() {
		worker.Shutdown()
		if err := errors.Join(client.Close(), asynqredis.DeleteQueue(context.Background(), opt, queue)); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
	})
	return turnOf(func(ctx context.Context) (func(context.Context) error, error) {
		_, err := enqueue(ctx, task(queue, taskHeaders))
		return func(context.Context) error { return nil }, err
	}, handled), nil
}
