package main

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// contender is one way of doing the work. Its functions set up and hand back what does
// it n times.
type contender struct {
	name    string
	beside  string // the one that it is a ratio of
	publish func(tp trace.TracerProvider) func(n int)
	process func(tp trace.TracerProvider) func(n int)
	spans   map[string]int // of one publish and of one process, where sampled
}

func (c contender) work(operation string, tp trace.TracerProvider) func(n int) {
	if operation == publishing {
		return c.publish(tp)
	}
	return c.process(tp)
}

const (
	publishing, processing = "publish", "process"

	// Headers that the application has on its messages.
	version, source, attempts = "content-version", "source", "attempts"
	checkout                  = "checkout"
)

var (
	operations = []string{publishing, processing}
	contenders = []contender{
		byHandAlone, mqtraceAlone, kotelHooks, saramaCarriers, rawOnSink, mqtraceOnSink,
	}
	propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
)

func find(name string) (contender, error) {
	i := slices.IndexFunc(contenders, func(c contender) bool { return c.name == name })
	if i < 0 {
		return contender{}, fmt.Errorf("peers: no contender %q", name)
	}
	return contenders[i], nil
}

// samplings are the providers that a program can have.
var samplings = []string{"sampled", "unsampled", "noop"}

func provider(sampling string, processor sdktrace.SpanProcessor) trace.TracerProvider {
	switch sampling {
	case "sampled":
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithSpanProcessor(processor))
	case "unsampled":
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()), sdktrace.WithSpanProcessor(processor))
	default:
		return noop.NewTracerProvider()
	}
}

// dropping makes the SDK record spans, and costs nothing itself.
type dropping struct{}

func (dropping) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropping) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (dropping) Shutdown(context.Context) error                  { return nil }
func (dropping) ForceFlush(context.Context) error                { return nil }

// request is the context that all publish in: a span, and baggage with one member.
func request(tp trace.TracerProvider) context.Context {
	member, err := baggage.NewMember("tenant.id", "t1")
	if err != nil {
		panic(err) // a constant
	}
	bag, err := baggage.New(member)
	if err != nil {
		panic(err)
	}
	ctx, _ := tp.Tracer("peers").Start(baggage.ContextWithBaggage(context.Background(), bag), "POST /orders")
	return ctx
}

// The message that all receive. Its trace is sampled where the consumer's sampler
// decides so.
const (
	exchange, routingKey, queue = "orders", "order.created", "billing"
	messageID                   = "b9f1c6a2"
	traceparent                 = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	baggageHeader               = "tenant.id=t1"
)
