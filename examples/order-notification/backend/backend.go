// Package backend provides the RabbitMQ and the Redis that the services use:
// real ones where they are named, in-process ones where they are not.
package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/rabbit"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Backend is a broker and a Redis, and the names to use on them.
type Backend struct {
	AMQPURL string
	Redis   asynq.RedisClientOpt
	// Prefix is unique where a server is real, and so perhaps shared.
	Prefix string

	broker    *amqpbroker.Broker // nil where the broker is real
	miniredis *miniredis.Miniredis
}

// Open starts what cfg does not name and checks that the rest answers.
func Open(ctx context.Context, cfg config.Config) (_ *Backend, err error) {
	b := &Backend{AMQPURL: cfg.AMQPURL, Redis: cfg.Redis, Prefix: cfg.Prefix}
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	if b.Prefix == "" && (cfg.AMQPURL != "" || cfg.Redis.Addr != "") {
		b.Prefix = "demo-" + strings.ToLower(rand.Text()[:8]) + "."
	}
	if cfg.AMQPURL == "" {
		if b.broker, err = amqpbroker.Start(); err != nil {
			return nil, fmt.Errorf("start the in-process broker: %w", err)
		}
		b.AMQPURL = b.broker.URL()
	} else if err := b.checkBroker(ctx); err != nil {
		return nil, err
	}
	if cfg.Redis.Addr == "" {
		if b.miniredis, err = miniredis.Run(); err != nil {
			return nil, fmt.Errorf("start the in-process Redis: %w", err)
		}
		b.Redis.Addr = b.miniredis.Addr()
	} else if err := tasks.Ping(ctx, b.Redis); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Backend) checkBroker(ctx context.Context) error {
	conn, err := rabbit.Dial(ctx, b.AMQPURL, "check", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return conn.Close()
}

// Topology returns the names on the broker.
func (b *Backend) Topology() events.Topology { return events.NewTopology(b.Prefix) }

// EmailQueue returns the name of the asynq queue.
func (b *Backend) EmailQueue() string { return tasks.QueueName(b.Prefix) }

// Describe says in a few words what the services run on.
func (b *Backend) Describe() string {
	broker, store := "RabbitMQ", "Redis"
	if b.broker != nil {
		broker = "an in-process AMQP broker"
	}
	if b.miniredis != nil {
		store = "an in-process Redis"
	}
	return broker + " and " + store
}

// Close stops what Open started, and removes from real servers what the
// services made there. The services must have stopped.
func (b *Backend) Close(ctx context.Context) error {
	defer b.stop()
	var errs []error
	if b.broker == nil {
		errs = append(errs, b.deleteTopology(ctx))
	}
	if b.miniredis == nil {
		errs = append(errs, tasks.DeleteQueue(ctx, b.Redis, b.EmailQueue()))
	}
	return errors.Join(errs...)
}

func (b *Backend) deleteTopology(ctx context.Context) error {
	conn, err := rabbit.Dial(ctx, b.AMQPURL, "clean up", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err == nil {
		err = b.Topology().Delete(ch)
	}
	if err != nil {
		err = fmt.Errorf("clean up on the broker: %w", err)
	}
	return errors.Join(err, conn.Close())
}

func (b *Backend) stop() {
	if b.broker != nil {
		_ = b.broker.Close()
	}
	if b.miniredis != nil {
		b.miniredis.Close()
	}
}
