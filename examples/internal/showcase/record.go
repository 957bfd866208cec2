package showcase

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Service returns the SDK of a service. A program is usually one service: it sets its
// provider with otel.SetTracerProvider at start-up, exports to a Collector in batches, and
// needs no amqptrace.WithTracerProvider. Here several services share a process.
func (s *Stage) Service(name string, opts ...sdktrace.TracerProviderOption) trace.TracerProvider {
	return sdktrace.NewTracerProvider(append([]sdktrace.TracerProviderOption{
		sdktrace.WithSyncer(s.spans),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(name))),
	}, opts...)...)
}

// Await waits until n spans of that name have ended.
func (s *Stage) Await(ctx context.Context, n int, name string) error {
	for {
		changed := s.spans.wait()
		have := 0
		for _, tr := range s.spans.store.Traces() {
			for i := range tr.Spans {
				if tr.Spans[i].Name == name {
					have++
				}
			}
		}
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d spans %q: %w", have, n, name, context.Cause(ctx))
		}
	}
}

// recorder is an exporter that keeps spans where traceview can show them.
type recorder struct {
	store *traceview.Store

	mu      sync.Mutex
	changed chan struct{} // closed at the next export
}

var _ sdktrace.SpanExporter = (*recorder)(nil)

func newRecorder() *recorder {
	return &recorder{store: traceview.NewStore(traceview.Limits{}), changed: make(chan struct{})}
}

func (r *recorder) wait() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *recorder) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	for _, s := range spans {
		r.store.Add(convert(s))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
	return nil
}

func (*recorder) Shutdown(context.Context) error { return nil }

func convert(s sdktrace.ReadOnlySpan) spans.Span {
	out := spans.Span{
		TraceID:  s.SpanContext().TraceID(),
		SpanID:   s.SpanContext().SpanID(),
		ParentID: s.Parent().SpanID(),
		Name:     s.Name(),
		Kind:     s.SpanKind(),
		Start:    s.StartTime(),
		End:      s.EndTime(),
		Status:   spans.Status{Code: s.Status().Code, Message: s.Status().Description},
		Scope:    spans.Scope{Name: s.InstrumentationScope().Name},
	}
	out.Attributes = attributes(s.Attributes())
	if name, ok := s.Resource().Set().Value(semconv.ServiceNameKey); ok {
		out.Service = name.AsString()
	}
	for _, l := range s.Links() {
		out.Links = append(out.Links, spans.Link{
			TraceID:    l.SpanContext.TraceID(),
			SpanID:     l.SpanContext.SpanID(),
			Attributes: attributes(l.Attributes),
		})
	}
	return out
}

func attributes(kvs []attribute.KeyValue) spans.Attributes {
	out := make(spans.Attributes, 0, len(kvs))
	for _, kv := range kvs {
		out = append(out, spans.Attribute{Key: string(kv.Key), Value: value(kv.Value)})
	}
	return out
}

// value converts lists and maps to the types that they have in traceview.
func value(v attribute.Value) any {
	switch v := v.AsInterface().(type) {
	case []bool:
		return list(v)
	case []int64:
		return list(v)
	case []float64:
		return list(v)
	case []string:
		return list(v)
	case []attribute.Value:
		out := make([]any, len(v))
		for i := range v {
			out[i] = value(v[i])
		}
		return out
	case []attribute.KeyValue:
		return attributes(v)
	default:
		return v
	}
}

func list[T any](in []T) []any {
	out := make([]any, len(in))
	for i := range in {
		out[i] = in[i]
	}
	return out
}
