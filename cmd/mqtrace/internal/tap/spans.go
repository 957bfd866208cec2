package tap

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// spans creates a span for each record that belongs to a trace.
//
// A span's parent is the message's creation context, its producer's span. It has no
// duration and the time of its receipt: the firehose has no timestamps. Its kind is
// INTERNAL: a service graph pairs each PRODUCER span with the CONSUMER span below it, and a
// broker's span of that kind would take the place of the service that processes the
// message.
type spans struct {
	tracer trace.Tracer
	server []attribute.KeyValue
	roots  bool
	rate   *limiter
	stats  *counters
}

func newSpans(cfg *Config, stats *counters) *spans {
	return &spans{
		tracer: cfg.TracerProvider.Tracer(ScopeName,
			trace.WithInstrumentationVersion(messaging.Version), trace.WithSchemaURL(semconv.SchemaURL)),
		server: serverAttributes(cfg.ServerAddress, cfg.ServerPort),
		roots:  cfg.Roots,
		rate:   newLimiter(cfg.MaxRate),
		stats:  stats,
	}
}

func (s *spans) add(r *record, at time.Time) {
	ctx := carrier.Table(r.headers).Extract(context.Background(), propagation.TraceContext{})
	parent := trace.SpanContextFromContext(ctx)
	switch {
	case !parent.IsValid():
		s.stats.untraced.Add(1)
		if !s.roots {
			return
		}
	case !parent.IsSampled():
		s.stats.unsampled.Add(1)
		return
	}
	if !s.rate.allow(at) {
		s.stats.overRate.Add(1)
		return
	}
	_, span := s.tracer.Start(ctx, r.spanName(), trace.WithTimestamp(at), trace.WithSpanKind(trace.SpanKindInternal),
		trace.WithAttributes(r.attributes(s.server)...))
	if r.unroutable() {
		span.SetStatus(codes.Error, "no queue took the message")
	}
	span.End(trace.WithTimestamp(at))
	s.stats.spans.Add(1)
}

// limiter limits the rate per second, with a burst of the same size.
type limiter struct {
	perSecond, left float64
	last            time.Time
}

func newLimiter(perSecond int) *limiter {
	return &limiter{perSecond: float64(perSecond), left: float64(perSecond)}
}

func (l *limiter) allow(now time.Time) bool {
	if passed := now.Sub(l.last); passed > 0 {
		l.left = min(l.perSecond, l.left+passed.Seconds()*l.perSecond)
		l.last = now
	}
	if l.left < 1 {
		return false
	}
	l.left--
	return true
}
