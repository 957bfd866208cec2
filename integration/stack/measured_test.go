//go:build stack

package stack_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
	rabbitmq "github.com/mqtrace/mqtrace/integration/nodes"
)

// The name of the measuring service.
const (
	measured    = "billing-service"
	namespace   = "shop"
	instance    = "billing-1"
	version     = "1.2.3"
	environment = "staging"
)

var errRefused = errors.New("refused")

// measure makes the packages record all of their metrics, for messages that succeed and
// others, until the test ends. The environment says where the metrics go.
func measure(t *testing.T, env ...string) {
	t.Helper()
	for _, pair := range append(env, "OTEL_LOGS_EXPORTER=none", "OTEL_METRIC_EXPORT_INTERVAL=500",
		"OTEL_RESOURCE_ATTRIBUTES=service.namespace="+namespace+",service.instance.id="+instance+
			",deployment.environment.name="+environment) {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	tel, err := telemetry.Setup(t.Context(), telemetry.Config{Service: measured, Version: version, LogWriter: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	redis := asynq.RedisClientOpt{Addr: miniredis.RunT(t).Addr()}
	traced := []asynqtrace.Option{
		asynqtrace.WithMeterProvider(tel.MeterProvider), asynqtrace.WithTracerProvider(tel.TracerProvider), asynqtrace.WithQueueTime(),
	}
	s := &shift{tel: tel, tasks: asynqtrace.NewClient(asynq.NewClient(redis), traced...)}
	// A handler learns its queue only from the server.
	server := asynq.NewServer(redis, asynq.Config{LogLevel: asynq.FatalLevel, TaskCheckInterval: 50 * time.Millisecond})
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(traced...))
	mux.HandleFunc("email", func(context.Context, *asynq.Task) error { return nil })
	mux.HandleFunc("refused", func(context.Context, *asynq.Task) error { return errRefused })
	if err := server.Start(mux); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			s.work(ctx)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = s.tasks.Close()
		tel.Shutdown(context.Background())
	})
}

// shift does the work of a service, over and over.
type shift struct {
	tel   *telemetry.Telemetry
	tasks *asynqtrace.Client
}

func (s *shift) work(ctx context.Context) {
	traced := []amqptrace.Option{
		amqptrace.WithMeterProvider(s.tel.MeterProvider), amqptrace.WithTracerProvider(s.tel.TracerProvider), amqptrace.WithQueueTime(),
	}
	accepts := &channel{}
	_ = amqptrace.NewPublisher(accepts, traced...).PublishWithContext(ctx, "orders", "order.created", false, false, amqp.Publishing{})
	_ = amqptrace.NewPublisher(&channel{err: errRefused}, traced...).
		PublishWithContext(ctx, "orders", "order.created", false, false, amqp.Publishing{})
	consumer := amqptrace.NewConsumer("billing", traced...)
	for _, failure := range []error{nil, errRefused} {
		_ = consumer.Handler(func(context.Context, amqp.Delivery) error { return failure })(ctx,
			amqp.Delivery{Headers: accepts.last.Headers, Timestamp: time.Now().Add(-time.Minute)})
	}
	_ = consumer.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(ctx,
		amqp.Delivery{Acknowledger: acknowledger{}})

	for _, kind := range []string{"email", "refused"} {
		_, _ = s.tasks.EnqueueContext(ctx, asynq.NewTask(kind, nil, asynq.MaxRetry(0)))
	}
}

// acknowledger accepts every acknowledgement.
type acknowledger struct{ amqp.Acknowledger }

func (acknowledger) Ack(uint64, bool) error { return nil }

// channel is a channel without a broker.
type channel struct {
	err  error
	last amqp.Publishing
}

func (c *channel) PublishWithDeferredConfirmWithContext(
	_ context.Context, _, _ string, _, _ bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	c.last = msg
	return nil, c.err
}

// startScrapedRabbitMQ starts a node with the Prometheus plugin, as docker-compose.yaml's
// image has it, and returns the address of its metrics.
func startScrapedRabbitMQ(t *testing.T) string {
	t.Helper()
	n := rabbitmq.New(t, "rabbitmq_prometheus")
	port := itoa(n.Port + 30)
	n.Configure("n1", "prometheus.tcp.ip = 127.0.0.1", "prometheus.tcp.port = "+port)
	n.Run("start", "n1", itoa(n.Port))
	return "127.0.0.1:" + port
}
