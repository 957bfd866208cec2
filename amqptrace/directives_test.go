package amqptrace_test

import (
	"context"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

// A context changes how one message is published. Stale fields are removed in every case.
func TestDirectives(t *testing.T) {
	for name, tt := range map[string]struct {
		directive func(context.Context) context.Context
		kind      trace.SpanKind // 0 for no span
		carries   bool
		asks      bool
	}{
		"none":                {func(ctx context.Context) context.Context { return ctx }, trace.SpanKindProducer, true, false},
		"without tracing":     {amqptrace.WithoutTracing, 0, true, false},
		"without propagation": {amqptrace.WithoutPropagation, trace.SpanKindClient, false, false},
		"new trace":           {amqptrace.AskForNewTrace, trace.SpanKindProducer, true, true},
		"without either": {func(ctx context.Context) context.Context {
			return amqptrace.WithoutPropagation(amqptrace.WithoutTracing(ctx))
		}, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			ctx, caller := rec.start(context.Background(), "caller")
			ch := &channel{}
			stale, before := message(t)
			stale["mqtrace-sent-at"], stale["Mqtrace-New-Trace"], stale["kept"] = "1", "1", "x"
			pub := amqptrace.NewPublisher(ch, rec.options(amqptrace.WithQueueTime())...)
			if err := pub.PublishWithContext(tt.directive(ctx), "x", "k", false, false, amqp.Publishing{Headers: stale}); err != nil {
				t.Fatal(err)
			}
			got := ch.published[0].msg.Headers
			carried := trace.SpanContextFromContext(carrier.Table(got).Extract(context.Background(), propagator))
			if carried.IsValid() != tt.carries || carried.SpanID() == before.SpanID() || got["kept"] != "x" ||
				got["mqtrace-sent-at"] == "1" || got["Mqtrace-New-Trace"] != nil || (got["mqtrace-new-trace"] == "1") != tt.asks {
				t.Errorf("the message carries %v", got)
			}
			if tt.kind == 0 {
				if len(rec.Ended()) != 0 || tt.carries && carried.SpanID() != caller.SpanContext().SpanID() {
					t.Errorf("%d spans, the message carries %v", len(rec.Ended()), carried)
				}
			} else if rec.Ended()[0].SpanKind() != tt.kind {
				t.Errorf("kind %v", rec.Ended()[0].SpanKind())
			}

			// A consumer with this relation follows the request.
			rec.Reset()
			c := amqptrace.NewConsumer("q", rec.options(amqptrace.WithRelation(amqptrace.ContinueUnlessAsked))...)
			_ = c.Handler(succeed)(context.Background(), amqp.Delivery{Headers: got})
			process := rec.Ended()[0]
			if tt.carries && (process.Parent().IsValid() == tt.asks || len(process.Links()) != 1) {
				t.Errorf("parent %v, %d links", process.Parent(), len(process.Links()))
			}
		})
	}
}

// The age of a message published with a delay is known without WithQueueTime.
func TestDelayedMessage(t *testing.T) {
	for _, delayed := range []bool{true, false} {
		ch := &channel{}
		headers := amqp.Table{}
		if delayed {
			headers["x-delay"] = int32(60000)
		}
		_ = amqptrace.NewPublisher(ch).PublishWithContext(context.Background(), "x", "k", false, false, amqp.Publishing{Headers: headers})
		var age time.Duration
		known := false
		_ = amqptrace.NewConsumer("q", amqptrace.WithFilter(func(m amqptrace.Message) bool {
			age, known = m.Age, m.AgeKnown
			return true
		})).Handler(succeed)(context.Background(), amqp.Delivery{Headers: ch.published[0].msg.Headers})
		if known != delayed || age > time.Minute {
			t.Errorf("delayed: %t: age %v, known: %t", delayed, age, known)
		}
	}
}
