package integration_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	apitrace "go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
	"github.com/mqtrace/mqtrace/asynqtrace"
)

// headerCarrier is what programs write to inject by hand.
type headerCarrier amqp.Table

func (c headerCarrier) Get(key string) string { s, _ := c[key].(string); return s }

func (c headerCarrier) Set(key, value string) { c[key] = value }

func (c headerCarrier) Keys() (keys []string) {
	for key := range c {
		keys = append(keys, key)
	}
	return keys
}

// An asynq worker that has moved keeps tasks in their traces whose context is in the payload.
func TestMigrationOfAsynq(t *testing.T) {
	type envelope struct{ Trace propagation.MapCarrier }
	spans := amqptest.Record(t)
	spans.SetGlobal()
	mux := asynq.NewServeMux()
	mux.Use(func(next asynq.Handler) asynq.Handler {
		return asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
			var old envelope
			if json.Unmarshal(t.Payload(), &old) == nil && old.Trace != nil {
				ctx = otel.GetTextMapPropagator().Extract(ctx, old.Trace)
			}
			return next.ProcessTask(ctx, t)
		})
	}, asynqtrace.Middleware())
	mux.HandleFunc("order:bill", func(context.Context, *asynq.Task) error { return nil })

	ctx, request := spans.Start(t.Context(), "POST /orders")
	old := envelope{Trace: propagation.MapCarrier{}}
	otel.GetTextMapPropagator().Inject(ctx, old.Trace)
	payload, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range []*asynq.Task{
		asynq.NewTask("order:bill", payload),
		asynqtrace.Inject(ctx, asynq.NewTask("order:bill", []byte(`"an order"`))),
	} {
		if err := mux.ProcessTask(context.Background(), task); err != nil {
			t.Fatal(err)
		}
	}
	request.End()
	wantOneTrace(t, spans, request)
}

// Services can move to amqptrace one at a time: a message stays in its trace between one
// that has moved and one that has not.
func TestMigrationInAnyOrder(t *testing.T) {
	propagator := propagation.TraceContext{}
	for _, name := range []string{"publisher first", "consumer first"} {
		t.Run(name, func(t *testing.T) {
			b := amqptest.Start(t)
			b.DeclareQueue("billing", nil)
			spans := amqptest.Record(t)
			ctx, request := spans.Start(t.Context(), "POST /orders")
			ch := b.Channel()
			var err error
			if name == "publisher first" {
				pub := amqptrace.NewPublisher(ch, spans.Options()...)
				err = pub.PublishWithContext(ctx, "", "billing", false, false, amqp.Publishing{})
			} else {
				ctx, span := spans.Start(ctx, "publish orders")
				headers := amqp.Table{}
				propagator.Inject(ctx, headerCarrier(headers))
				err = ch.PublishWithContext(ctx, "", "billing", false, false, amqp.Publishing{Headers: headers})
				span.End()
			}
			if err != nil {
				t.Fatal(err)
			}
			b.WaitMessages("billing", 1)
			d, _, err := ch.Get("billing", true)
			if err != nil {
				t.Fatal(err)
			}
			if name == "publisher first" {
				ctx = propagator.Extract(context.Background(), headerCarrier(d.Headers))
				_, span := spans.Start(ctx, "process billing")
				span.End()
			} else {
				handle := amqptrace.NewConsumer("billing", spans.Options()...).Handler(func(context.Context, amqp.Delivery) error { return nil })
				err = handle(context.Background(), d)
			}
			if err != nil {
				t.Fatal(err)
			}
			request.End()
			wantOneTrace(t, spans, request)
		})
	}
}

// wantOneTrace checks that there are three spans, all in the trace of the request.
func wantOneTrace(t *testing.T, spans *amqptest.Recorder, request apitrace.Span) {
	t.Helper()
	recorded := spans.Spans()
	if len(recorded) != 3 {
		t.Fatalf("the spans are %q", amqptest.Describe(recorded))
	}
	for _, span := range recorded {
		if span.SpanContext().TraceID() != request.SpanContext().TraceID() {
			t.Errorf("%s is in another trace", span)
		}
	}
}
