package messaging_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// handlerPanics makes OpenTelemetry's error handler panic.
var handlerPanics atomic.Bool

// reports are what OpenTelemetry's error handler was told since the last call.
var reports = func() func() []string {
	var mu sync.Mutex
	var all []string
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if handlerPanics.Load() {
			panic(err)
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, err.Error())
	}))
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := all
		all = nil
		return out
	}
}()

// An ambient span that adopts the messages of other traces is reported by each consumer
// once; one whose messages are of its own trace, such as replies, is not.
func TestAmbientSpanOverDifferentTraces(t *testing.T) {
	operation, _, tracer := newOperation(t)
	ctx, ambient := tracer.Start(context.Background(), "main")
	reports()
	process := func(ctx context.Context, traceparent string) {
		var origin messaging.Origin
		origin.Read(ctx, carrier.Headers{"traceparent": traceparent}, propagator)
		_, span := operation.StartConsumer(&origin, true, messaging.SpanStart{Name: "process q"})
		span.End()
	}
	own := "00-" + ambient.SpanContext().TraceID().String() + "-b7ad6b7169203331-01"
	for range 3 {
		process(ctx, own)
		process(ctx, parent)
		process(context.Background(), strings.Replace(parent, "0af", "0ae", 1))
	}
	if got := reports(); len(got) != 0 {
		t.Errorf("reported without reason: %q", got)
	}
	for _, id := range []string{"0ad", "0ac", "0ab"} {
		process(ctx, strings.Replace(parent, "0af", id, 1))
	}
	if got := reports(); len(got) != 1 || !strings.Contains(got[0], ambient.SpanContext().SpanID().String()) {
		t.Errorf("reported %q, want it once", got)
	}
}

// A program that has set no propagator sends messages without context, which is reported
// once, and the spans are of kind CLIENT: nothing has them as parent.
func TestPropagatorWithoutFields(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	i := messaging.NewInstrumentation("test/scope", messaging.Options{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)),
		Propagators:    propagation.NewCompositeTextMapPropagator(),
	})
	publish := i.Operation("publish", messaging.Send)
	messaging.ForgetReports()
	reports()
	for range 3 {
		_, span := publish.StartProducer(context.Background(), messaging.SpanStart{Name: "publish x"})
		span.End()
	}
	if got := reports(); len(got) != 1 || !strings.HasPrefix(got[0], "scope: messages are sent without trace context") {
		t.Errorf("reported %q, want it once", got)
	}
	if kind := recorder.Ended()[0].SpanKind(); kind != trace.SpanKindClient {
		t.Errorf("kind %v", kind)
	}
}

// debug is a propagator that, like B3's, puts more than a span into the context.
type debug struct{ propagation.TraceContext }

type debugKey struct{}

func (debug) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	return context.WithValue(propagation.TraceContext{}.Extract(ctx, c), debugKey{}, "1")
}

func TestNewTraceTakesOnlyTheBaggageOver(t *testing.T) {
	for _, continueTrace := range []bool{true, false} {
		var origin messaging.Origin
		origin.Read(context.Background(), carrier.Headers{"traceparent": parent}, debug{})
		if got := origin.Context(continueTrace).Value(debugKey{}); (got != nil) != continueTrace {
			t.Errorf("continued: %t: the context has %v", continueTrace, got)
		}
	}
}

// A creation context that a message has already is linked, unless it is the caller's.
func TestCreationContextOfAMessageThatIsSent(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	i := messaging.NewInstrumentation("test", messaging.Options{TracerProvider: provider, Propagators: propagator})
	publish := i.Operation("publish", messaging.Send)
	ctx, ambient := provider.Tracer("test").Start(context.Background(), "caller")
	for name, tt := range map[string]struct {
		headers carrier.Headers
		links   int
	}{
		"none":         {nil, 0},
		"another":      {carrier.Headers{"traceparent": parent}, 1},
		"the caller's": {carrier.Headers{}.Inject(ctx, propagator), 0},
		"unusable":     {carrier.Headers{"traceparent": "00-zz"}, 0},
	} {
		_, span := publish.StartProducer(ctx, messaging.SpanStart{Name: "publish x"})
		publish.LinkReplaced(ctx, span, tt.headers)
		span.End()
		got := recorder.Ended()[len(recorder.Ended())-1]
		if len(got.Links()) != tt.links || got.Parent().SpanID() != ambient.SpanContext().SpanID() {
			t.Errorf("%s: %d links, parent %v", name, len(got.Links()), got.Parent())
		}
	}
}

// A panic in an error handler does not reach the program whose message is being handled.
func TestErrorHandlerThatPanics(t *testing.T) {
	handlerPanics.Store(true)
	defer handlerPanics.Store(false)
	messaging.Report(errTest)
	if !messaging.Filter("test", func(int) bool { panic("filter") }, 1) {
		t.Error("a message is not traced since its filter panics")
	}
}
