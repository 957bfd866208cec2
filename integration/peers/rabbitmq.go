package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

const inFlight = 128

// onRabbitMQ publishes with confirmations, inFlight at once, to a queue that is consumed
// and acknowledged at the same time.
func onRabbitMQ(url string, tp *sdktrace.TracerProvider) (runner, func(), error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, nil, err
	}
	end := func() { _ = conn.Close() }
	name := fmt.Sprintf("mqtrace-peers-%d-%t", os.Getpid(), tp == nil)
	out, deliveries, err := channels(conn, name)
	if err != nil {
		end()
		return nil, nil, err
	}
	took := make(chan time.Duration, fast)
	work := func(_ context.Context, d amqp.Delivery) error {
		took <- time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(d.Body))))
		return d.Ack(false)
	}
	publish := func(ctx context.Context, msg amqp.Publishing) (func(context.Context) error, error) {
		dc, err := out.PublishWithDeferredConfirmWithContext(ctx, "", name, false, false, msg)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { _, err := dc.WaitContext(ctx); return err }, nil
	}
	if tp != nil {
		work = amqptrace.NewConsumer(name, options(tp)...).Handler(work)
		pub := amqptrace.NewPublisher(out, options(tp)...)
		publish = func(ctx context.Context, msg amqp.Publishing) (func(context.Context) error, error) {
			conf, err := pub.PublishDeferred(ctx, "", name, false, false, msg)
			if err != nil {
				return nil, err
			}
			return conf.Wait, nil
		}
	}
	go func() {
		for d := range deliveries {
			_ = work(context.Background(), d)
		}
	}()
	return func(ctx context.Context) (round, error) { return rabbitRound(ctx, publish, took) }, end, nil
}

func channels(conn *amqp.Connection, name string) (*amqp.Channel, <-chan amqp.Delivery, error) {
	out, err := conn.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := out.Confirm(false); err != nil {
		return nil, nil, err
	}
	if _, err := out.QueueDeclare(name, false, true, true, false, nil); err != nil {
		return nil, nil, err
	}
	in, err := conn.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := in.Qos(inFlight, 0, false); err != nil {
		return nil, nil, err
	}
	deliveries, err := in.Consume(name, "", false, true, false, false, nil)
	return out, deliveries, err
}

type publishFunc func(ctx context.Context, msg amqp.Publishing) (wait func(context.Context) error, err error)

func rabbitRound(ctx context.Context, publish publishFunc, took chan time.Duration) (round, error) {
	message := func(sentAt time.Time) amqp.Publishing {
		msg := order()
		binary.BigEndian.PutUint64(msg.Body, uint64(sentAt.UnixNano()))
		return msg
	}
	pending := make([]func(context.Context) error, 0, inFlight)
	began := time.Now()
	for range fast {
		if len(pending) == inFlight {
			if err := pending[0](ctx); err != nil {
				return round{}, err
			}
			pending = pending[1:]
		}
		wait, err := publish(ctx, message(time.Now()))
		if err != nil {
			return round{}, err
		}
		pending = append(pending, wait)
	}
	for _, wait := range pending {
		if err := wait(ctx); err != nil {
			return round{}, err
		}
	}
	if err := arrivals(took); err != nil {
		return round{}, err
	}
	r := round{perSecond: fast / time.Since(began).Seconds()}
	var err error
	r.latencies, err = paced(func(sentAt time.Time) error {
		wait, err := publish(ctx, message(sentAt))
		if err != nil {
			return err
		}
		return wait(ctx)
	}, took)
	return r, err
}
