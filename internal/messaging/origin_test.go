package messaging_test

import (
	"context"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

const (
	parent  = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceID = "0af7651916cd43dd8448eb211c80319c"
)

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// newOperation returns a process operation whose spans go to the recorder.
func newOperation(t *testing.T) (*messaging.Operation, *tracetest.SpanRecorder, trace.Tracer) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	i := messaging.NewInstrumentation("test", messaging.Options{TracerProvider: provider, Propagators: propagator},
		attribute.String("messaging.system", "test"))
	return i.Operation("process", messaging.Process), recorder, provider.Tracer("test")
}

// The correlation rule, for each thing that it depends on.
func TestCorrelation(t *testing.T) {
	for name, tt := range map[string]struct {
		headers       carrier.Headers
		ambient       string // open, ended or empty
		continueTrace bool
		parent        string // created, ambient or none
		links         []string
	}{
		"continued":             {carrier.Headers{"traceparent": parent}, "", true, "created", []string{"created"}},
		"ambient":               {carrier.Headers{"traceparent": parent}, "open", true, "ambient", []string{"created"}},
		"new trace":             {carrier.Headers{"traceparent": parent}, "", false, "none", []string{"created"}},
		"new trace, ambient":    {carrier.Headers{"traceparent": parent}, "open", false, "none", []string{"created", "ambient"}},
		"no context":            {nil, "", true, "none", nil},
		"no context, ambient":   {nil, "open", true, "ambient", nil},
		"no context, new trace": {nil, "open", false, "none", []string{"ambient"}},
		"bad context, ambient":  {carrier.Headers{"traceparent": "00-zz"}, "open", true, "ambient", nil},
		"ambient has ended":     {carrier.Headers{"traceparent": parent}, "ended", true, "created", []string{"created", "ambient"}},
		"no context, ended":     {nil, "ended", true, "none", []string{"ambient"}},
		"new trace, ended":      {carrier.Headers{"traceparent": parent}, "ended", false, "none", []string{"created", "ambient"}},
	} {
		t.Run(name, func(t *testing.T) {
			operation, recorder, tracer := newOperation(t)
			ctx := context.Background()
			known := map[string]trace.SpanContext{"none": {}}
			if tt.ambient != "" {
				var span trace.Span
				ctx, span = tracer.Start(ctx, "ambient")
				known["ambient"] = span.SpanContext()
				if tt.ambient == "ended" {
					span.End()
				}
			}
			known["created"] = trace.SpanContextFromContext(tt.headers.Extract(context.Background(), propagator))

			var origin messaging.Origin
			origin.Read(ctx, tt.headers, propagator)
			ctx, span := operation.StartConsumer(&origin, tt.continueTrace, messaging.SpanStart{Name: "process q"})
			span.End()
			if trace.SpanFromContext(ctx) != span {
				t.Error("the span is not current in the context")
			}

			got := recorder.Ended()[len(recorder.Ended())-1]
			if got.Parent().SpanID() != known[tt.parent].SpanID() {
				t.Errorf("parent %v, want %s", got.Parent(), tt.parent)
			}
			var links []trace.SpanID
			for _, l := range got.Links() {
				links = append(links, l.SpanContext.SpanID())
			}
			var want []trace.SpanID
			for _, l := range tt.links {
				want = append(want, known[l].SpanID())
			}
			if !slices.Equal(links, want) {
				t.Errorf("links %v, want %v", links, want)
			}

			// A message that is not traced goes on where its span would have been.
			if sc := trace.SpanContextFromContext(origin.Context(tt.continueTrace)); sc.SpanID() != known[tt.parent].SpanID() {
				t.Errorf("without a span the context has %v, want %s", sc, tt.parent)
			}
		})
	}
}

func TestBaggageStaysWhateverTheRelation(t *testing.T) {
	for _, continueTrace := range []bool{true, false} {
		var origin messaging.Origin
		origin.Read(context.Background(), carrier.Headers{"traceparent": parent, "baggage": "tenant.id=t1"}, propagator)
		if got := baggage.FromContext(origin.Context(continueTrace)).Member("tenant.id").Value(); got != "t1" {
			t.Errorf("continued: %t: baggage %q", continueTrace, got)
		}
	}
}

// Many links and attributes are no fewer for what a start has room for.
func TestStartTakesAnyNumber(t *testing.T) {
	operation, recorder, _ := newOperation(t)
	var own []attribute.KeyValue
	var links []trace.Link
	for i := range 20 {
		own = append(own, attribute.Int("k"+string(rune('a'+i)), i))
		links = append(links, trace.Link{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{byte(i + 1)},
		})})
	}
	var origin messaging.Origin
	origin.Read(context.Background(), carrier.Headers{"traceparent": parent}, propagator)
	_, span := operation.StartConsumer(&origin, true, messaging.SpanStart{
		Name: "process q", Shared: operation.Attributes, Links: links,
	}, own...)
	span.End()
	got := recorder.Ended()[0]
	if len(got.Links()) != 21 || got.Links()[20].SpanContext.TraceID().String() != traceID {
		t.Errorf("%d links", len(got.Links()))
	}
	if n := len(got.Attributes()); n != len(operation.Attributes)+20 {
		t.Errorf("%d attributes", n)
	}
}
