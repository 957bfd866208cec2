package faults_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

const (
	requeueEvery = 89 // one in so many new messages is requeued
	prefetch     = 50
	batchSize    = 20
	batchTime    = 10 * time.Millisecond
)

// consumers process until their connection is closed: a loop and a worker that share a
// channel of deliveries, and a batch consumer on a channel of its own.
func (l *load) consumers(t *testing.T, k *link) {
	t.Helper()
	c := amqptrace.NewConsumer(l.queue, l.spans.options()...)
	shared, own := l.consume(t, k), l.consume(t, k)
	l.consuming.Go(func() {
		for ctx, d := range c.Deliveries(context.Background(), shared) {
			if err := l.work(ctx, d); err != nil {
				amqptrace.Fail(ctx, err)
			}
		}
	})
	l.consuming.Go(func() {
		handle := c.Handler(l.work)
		for d := range shared {
			_ = handle(context.Background(), d)
		}
	})
	l.consuming.Go(func() {
		handle := c.BatchHandler(l.workBatch)
		for {
			ds := collect(own)
			if len(ds) == 0 {
				return
			}
			_ = handle(context.Background(), ds)
		}
	})
}

func (l *load) consume(t *testing.T, k *link) <-chan amqp.Delivery {
	t.Helper()
	ch := k.channel(t)
	if err := ch.Qos(prefetch, 0, false); err != nil {
		t.Fatal(err)
	}
	l.watch(ch)
	ds, err := ch.Consume(l.queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// work processes one message. If the settlement fails, the message will come again.
func (l *load) work(_ context.Context, d amqp.Delivery) error {
	id := number(d)
	if id%requeueEvery == 0 && !d.Redelivered {
		err := d.Nack(false, true)
		l.settled("process requeue", "process no outcome", err)
		return err
	}
	l.ledger.process(id)
	err := d.Ack(false)
	l.settled("process ack", "process no outcome", err)
	return err
}

func (l *load) workBatch(_ context.Context, ds []amqp.Delivery) error {
	for _, d := range ds {
		l.ledger.process(number(d))
	}
	err := ds[len(ds)-1].Ack(true)
	l.settled("batch ack", "batch no outcome", err)
	return err
}

func (l *load) settled(done, failed string, err error) {
	if err != nil {
		done = failed
	}
	l.ledger.saw(done)
}

// collect returns the messages that come within batchTime of the first, or nothing once the
// deliveries have ended.
func collect(deliveries <-chan amqp.Delivery) []amqp.Delivery {
	d, ok := <-deliveries
	if !ok {
		return nil
	}
	ds := []amqp.Delivery{d}
	timeout := time.After(batchTime)
	for len(ds) < batchSize {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return ds
			}
			ds = append(ds, d)
		case <-timeout:
			return ds
		}
	}
	return ds
}

func number(d amqp.Delivery) int {
	id, err := strconv.Atoi(d.MessageId)
	if err != nil {
		panic(err) // not our message
	}
	return id
}
