package main

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/asynqtrace"
)

// alike does the same work in each way, and compares the spans and the errors.
func alike(t *testing.T, hand, our func(ctx context.Context, tp trace.TracerProvider) error) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	ctx := request(tp)
	if a, b := hand(ctx, tp), our(ctx, tp); !errors.Is(a, b) {
		t.Errorf("by hand %v, ours %v", a, b)
	}
	spans := tracetest.SpanStubsFromReadOnlySpans(recorder.Ended())
	for i, s := range spans {
		slices.SortFunc(s.Attributes, func(a, b attribute.KeyValue) int { return strings.Compare(string(a.Key), string(b.Key)) })
		spans[i] = tracetest.SpanStub{
			Name: s.Name, SpanKind: s.SpanKind, Parent: s.Parent, Links: s.Links, Attributes: s.Attributes, Status: s.Status, Events: s.Events,
		}
	}
	if len(spans) != 2 || !reflect.DeepEqual(spans[0], spans[1]) {
		t.Errorf("by hand, and ours:\n%+v", spans)
	}
}

var errFailed = errors.New("failed")

// A keeping is a channel that keeps the headers of what is published, and fails to publish
// it.
type keeping struct {
	nowhere

	headers *amqp.Table
}

func (k keeping) PublishWithDeferredConfirmWithContext(
	_ context.Context, _, _ string, _, _ bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	*k.headers = msg.Headers
	return nil, errFailed
}

func TestPublishByHand(t *testing.T) {
	var hand, our amqp.Table
	msg := order()
	msg.Headers["TraceParent"], msg.Headers["BAGGAGE"] = "stale", "stale"
	alike(t, func(ctx context.Context, tp trace.TracerProvider) error {
		return publishByHand(ctx, tp.Tracer(byHand), keeping{headers: &hand}, msg)
	}, func(ctx context.Context, tp trace.TracerProvider) error {
		return amqptrace.NewPublisher(keeping{headers: &our}, options(tp)...).PublishWithContext(ctx, exchange, routingKey, false, false, msg)
	})
	want := slices.Sorted(maps.Keys(delivery().Headers))
	for _, headers := range []amqp.Table{hand, our} {
		if got := slices.Sorted(maps.Keys(headers)); !slices.Equal(got, want) {
			t.Errorf("headers %q, want %q", got, want)
		}
	}
}

func TestProcessByHand(t *testing.T) {
	died := []any{
		amqp.Table{"queue": "wait", "reason": "expired", "count": int64(2), "time": time.Unix(1700000000, 0)},
		amqp.Table{"queue": queue, "reason": "rejected", "count": int64(2), "time": time.Unix(1600000000, 0)},
	}
	for name, handle := range map[string]func(d *amqp.Delivery) error{
		"acked":    func(d *amqp.Delivery) error { return d.Ack(false) },
		"twice":    func(d *amqp.Delivery) error { return errors.Join(d.Ack(false), d.Nack(false, false)) },
		"requeued": func(d *amqp.Delivery) error { return d.Nack(false, true) },
		"nacked":   func(d *amqp.Delivery) error { return d.Nack(false, false) },
		"rejected": func(d *amqp.Delivery) error { return d.Reject(false) },
		"left":     func(*amqp.Delivery) error { return nil },
		"failed":   func(*amqp.Delivery) error { return errFailed },
	} {
		for history, change := range map[string]func(d *amqp.Delivery){
			"first":         func(*amqp.Delivery) {},
			"redelivered":   func(d *amqp.Delivery) { d.Redelivered = true },
			"quorum queue":  func(d *amqp.Delivery) { d.Redelivered, d.Headers["x-delivery-count"] = true, int64(3) },
			"republished":   func(d *amqp.Delivery) { d.Headers["x-delivery-count"] = int64(3) },
			"dead-lettered": func(d *amqp.Delivery) { d.Headers["x-death"] = died },
			"no context":    func(d *amqp.Delivery) { d.Headers = nil },
			"upper case": func(d *amqp.Delivery) {
				delete(d.Headers, "traceparent")
				d.Headers["TRACEPARENT"] = traceparent
			},
		} {
			t.Run(name+", "+history, func(t *testing.T) {
				d, handle := delivery(), func(_ context.Context, d amqp.Delivery) error { return handle(&d) }
				change(&d)
				alike(t, func(_ context.Context, tp trace.TracerProvider) error {
					return processByHand(context.Background(), tp.Tracer(byHand), d, handle)
				}, func(_ context.Context, tp trace.TracerProvider) error {
					return amqptrace.NewConsumer(queue, options(tp)...).Handler(handle)(context.Background(), d)
				})
			})
		}
	}
}

func TestEnqueueByHand(t *testing.T) {
	stale := map[string]string{source: checkout, "TraceParent": "stale"}
	alike(t, func(ctx context.Context, tp trace.TracerProvider) error {
		return enqueueByHand(ctx, tp.Tracer(byHand), nowhereClient(), stale, asynq.TaskID(messageID))
	}, func(ctx context.Context, tp trace.TracerProvider) error {
		_, err := asynqtrace.NewClient(nowhereClient(), taskOptions(tp)...).EnqueueContext(ctx, task(queue, stale, asynq.TaskID(messageID)))
		return err
	})
}

func TestTaskByHand(t *testing.T) {
	last, _, err1 := attempted(asynq.MaxRetry(0))
	ctx, task, err2 := attempted(asynq.MaxRetry(3))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	late, cancel := context.WithDeadline(ctx, time.Unix(0, 0))
	defer cancel()
	for _, of := range []context.Context{ctx, last, cancelled, late} {
		for _, err := range []error{nil, errFailed, asynq.SkipRetry, asynq.RevokeTask} {
			handle := func(context.Context, *asynq.Task) error { return err }
			alike(t, func(_ context.Context, tp trace.TracerProvider) error {
				return taskByHand(of, tp.Tracer(byHand), task, handle)
			}, func(_ context.Context, tp trace.TracerProvider) error {
				return asynqtrace.Middleware(taskOptions(tp)...)(asynq.HandlerFunc(handle)).ProcessTask(of, task)
			})
		}
	}
}
