// Package notification is the notification service: it turns each order event
// from RabbitMQ into an email task in Redis.
package notification

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/httpserver"
	"github.com/mqtrace/mqtrace/examples/order-notification/rabbit"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// Name is the service's name.
const Name = "notification-service"

// drainTimeout is how long messages in progress may take once the service is stopping. The
// rest return to the queue.
const drainTimeout = 3 * time.Second

var errCancelled = errors.New("RabbitMQ cancelled a consumer")

// Config configures the service.
type Config struct {
	AMQPURL    string
	Topology   events.Topology
	Redis      asynq.RedisClientOpt
	EmailQueue string
	HTTPAddr   string // for the health check
}

// Service is the notification service.
type Service struct {
	log     *slog.Logger
	conn    *rabbit.Conn
	orders  *subscription
	dead    *subscription
	tasks   *asynqtrace.Client
	queue   string
	server  *httpserver.Server
	process *amqptrace.Consumer
	bury    handleFunc
}

// New connects to RabbitMQ and Redis and starts consuming. The caller calls
// [Service.Run].
func New(ctx context.Context, cfg Config, t *telemetry.Telemetry) (_ *Service, err error) {
	if err := tasks.Ping(ctx, cfg.Redis); err != nil {
		return nil, err
	}
	conn, err := rabbit.Dial(ctx, cfg.AMQPURL, Name, t.Log)
	if err != nil {
		return nil, err
	}
	s := &Service{log: t.Log, conn: conn, queue: cfg.EmailQueue}
	s.tasks = asynqtrace.NewClient(asynq.NewClient(cfg.Redis),
		asynqtrace.WithTracerProvider(t.TracerProvider),
		asynqtrace.WithMeterProvider(t.MeterProvider),
		asynqtrace.WithPropagators(t.Propagators),
		asynqtrace.WithQueueTime(),
	)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	opts := []amqptrace.Option{
		amqptrace.WithTracerProvider(t.TracerProvider),
		amqptrace.WithMeterProvider(t.MeterProvider),
		amqptrace.WithPropagators(t.Propagators),
		amqptrace.WithServer(conn.Host, conn.Port),
		amqptrace.WithQueueTime(),
	}
	s.process = amqptrace.NewConsumer(cfg.Topology.Queue, opts...)
	s.bury = amqptrace.NewConsumer(cfg.Topology.DeadLetterQueue, opts...).Handler(s.handleDeadLetter)
	if s.server, err = httpserver.Listen(ctx, cfg.HTTPAddr, httpserver.NewHealthMux(s.health)); err != nil {
		return nil, err
	}
	if s.orders, err = subscribe(conn, cfg.Topology, cfg.Topology.Queue); err != nil {
		return nil, err
	}
	if s.dead, err = subscribe(conn, cfg.Topology, cfg.Topology.DeadLetterQueue); err != nil {
		return nil, err
	}
	return s, nil
}

// URL returns the base URL of the health check.
func (s *Service) URL() string { return s.server.URL() }

// Run consumes until ctx ends or the broker is gone for good.
func (s *Service) Run(ctx context.Context) error {
	// A span in ctx would become the parent of every message.
	// https://pkg.go.dev/github.com/mqtrace/mqtrace/amqptrace
	ctx = trace.ContextWithSpan(ctx, nil)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	var consumers, health sync.WaitGroup
	consumers.Go(func() { s.consumeOrders(ctx); stop(errCancelled) })
	consumers.Go(func() { s.consumeDeadLetters(ctx); stop(errCancelled) })
	health.Go(func() {
		if err := s.server.Run(ctx); err != nil {
			stop(err)
		}
	})
	s.log.InfoContext(ctx, "consuming order events", "queue", s.orders.queue, "url", s.URL())

	var err error
	select {
	case err = <-s.conn.Lost():
		stop(err)
	case <-ctx.Done():
		if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
			err = cause
		}
	}
	s.drain(ctx, &consumers)
	err = errors.Join(err, s.close())
	consumers.Wait()
	health.Wait()
	return err
}

// drain stops new deliveries and waits for those that have been received.
func (s *Service) drain(ctx context.Context, consumers *sync.WaitGroup) {
	if s.conn.Health(ctx) != nil {
		return // Nothing can be settled any more, so there is nothing to wait for.
	}
	s.orders.cancel()
	s.dead.cancel()
	drained := make(chan struct{})
	go func() { consumers.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(drainTimeout):
	}
}

// close ends the deliveries too, if that has not happened yet.
func (s *Service) close() error {
	err := s.conn.Close()
	if redisErr := s.tasks.Close(); redisErr != nil {
		err = errors.Join(err, fmt.Errorf("close the connection to Redis: %w", redisErr))
	}
	return err
}

func (s *Service) health(ctx context.Context) error {
	if err := s.conn.Health(ctx); err != nil {
		return err
	}
	if err := s.tasks.Ping(); err != nil {
		return fmt.Errorf("redis does not answer: %w", err)
	}
	return nil
}
