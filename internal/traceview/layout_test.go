package traceview_test

import (
	"io"
	"strconv"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// shapes returns traces of about n spans for which a careless layout takes quadratic time.
func shapes(n uint64) map[string]spans.Trace {
	fan, fans, linked := sample.Ordinary(int(n)), spans.Trace{ID: sample.ID}, spans.Trace{ID: sample.ID}
	for i := range n {
		fans.Spans = append(fans.Spans, sample.Span(i+1, i/2, "svc", "process q", []trace.SpanKind{sample.Producer, sample.Consumer}[i%2], float64(i), float64(i+1)))
	}

	side := uint64(300)
	for i := range side {
		s := sample.Span(i+1, 0, "svc", "process batch", sample.Consumer, float64(i), float64(i+1))
		for j := range side {
			s.Links = append(s.Links, sample.LinkTo(1000+j))
		}

		linked.Spans = append(linked.Spans, s, sample.Span(1000+i, 0, "svc", "publish q", sample.Producer, 0, 1))
	}

	return map[string]spans.Trace{"chain": sample.Chain(n), "fan": fan, "fans": fans, "links": linked}
}

// BenchmarkLayout lays out traces twice as large each time, for the page and the
// terminal.
func BenchmarkLayout(b *testing.B) {
	for _, n := range []uint64{25_000, 50_000, 100_000} {
		for name, tr := range shapes(n) {
			b.Run(name+"/"+strconv.FormatUint(n, 10)+"/terminal", func(b *testing.B) {
				for b.Loop() {
					_ = terminal.WriteTree(io.Discard, tr, terminal.Options{})
				}
			})
			b.Run(name+"/"+strconv.FormatUint(n, 10)+"/page", func(b *testing.B) {
				h := storedWithin(store.Limits{Spans: 1 << 20, SpansPerTrace: 1 << 20, Bytes: 1 << 30}, tr.Spans...)
				for b.Loop() {
					get(h, "/api/traces/"+tr.ID.String()+"/waterfall")
				}
			})
		}
	}
}
