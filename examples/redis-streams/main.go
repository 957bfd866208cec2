// Command redis-streams carries a trace through a Redis stream with only go-redis and
// package carrier: the program itself decides what is a span, and of which kind.
//
// It uses the Redis that MQTRACE_REDIS_ADDR names, host:port or a redis:// URL, or an
// in-process one if the variable is not set.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := play(ctx, os.Getenv("MQTRACE_REDIS_ADDR"), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "redis-streams:", err)
		os.Exit(1)
	}
}

func play(ctx context.Context, addr string, out io.Writer) (err error) {
	if addr == "" {
		server, err := miniredis.Run()
		if err != nil {
			return err
		}
		defer server.Close()
		addr = server.Addr()
	}
	if !strings.Contains(addr, "://") {
		addr = "redis://" + addr
	}
	server, err := redis.ParseURL(addr)
	if err != nil {
		return errors.New("MQTRACE_REDIS_ADDR is neither host:port nor a valid redis:// URL") // err may quote a password
	}
	provider := sdktrace.NewTracerProvider() // add an exporter to see the spans
	defer func() { err = errors.Join(err, provider.Shutdown(context.WithoutCancel(ctx))) }()
	client := redis.NewClient(server)
	defer func() { err = errors.Join(err, client.Close()) }()

	s := &stream{
		client: client, tracer: provider.Tracer("redis-streams"), name: "orders-" + strings.ToLower(rand.Text()[:8]),
		propagator: propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}),
	}
	defer func() { err = errors.Join(err, client.Del(context.WithoutCancel(ctx), s.name).Err()) }()
	return s.play(ctx, out)
}

func (s *stream) play(ctx context.Context, out io.Writer) error {
	if err := s.client.XGroupCreateMkStream(ctx, s.name, group, "0").Err(); err != nil {
		return err
	}
	for i, total := range []float64{12.5, 7, 9} {
		ctx, request := s.tracer.Start(ctx, "POST /orders")
		err := s.add(ctx, map[string]any{"order": i + 1, "total": total})
		request.End()
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "added in trace", request.SpanContext().TraceID())
	}
	return s.read(ctx, 3, func(ctx context.Context, values map[string]any) error {
		_, err := fmt.Fprintln(out, "order", values["order"], "of", values["total"], "in trace",
			trace.SpanContextFromContext(ctx).TraceID())
		return err
	})
}

// stream is a Redis stream with a consumer group.
type stream struct {
	client     *redis.Client
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	name       string
}

const group = "billing"

// add adds an entry that carries the trace of ctx.
func (s *stream) add(ctx context.Context, values map[string]any) error {
	ctx, span := s.tracer.Start(ctx, "add orders", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	return ended(span, s.client.XAdd(ctx, &redis.XAddArgs{
		Stream: s.name,
		Values: map[string]any(carrier.Table(values).Inject(ctx, s.propagator)),
	}).Err())
}

// read processes n entries, each in the trace that it carries.
func (s *stream) read(ctx context.Context, n int, process func(context.Context, map[string]any) error) error {
	for n > 0 {
		streams, err := s.client.XReadGroup(ctx, &redis.XReadGroupArgs{
			Group: group, Consumer: "c1", Streams: []string{s.name, ">"}, Count: int64(n),
		}).Result()
		if err != nil {
			return err
		}
		for _, msg := range streams[0].Messages {
			if err := s.process(ctx, msg, process); err != nil {
				return err
			}
			n--
		}
	}
	return nil
}

func (s *stream) process(
	ctx context.Context, msg redis.XMessage, process func(context.Context, map[string]any) error,
) error {
	ctx = carrier.Table(msg.Values).Extract(ctx, s.propagator)
	ctx, span := s.tracer.Start(ctx, "process orders", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.LinkFromContext(ctx)))
	defer span.End()
	if err := process(ctx, msg.Values); err != nil {
		return ended(span, err) // the entry stays pending, with its trace context
	}
	return ended(span, s.client.XAck(ctx, s.name, group, msg.ID).Err())
}

func ended(span trace.Span, err error) error {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}
