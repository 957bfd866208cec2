package traceview_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// BenchmarkHandler receives batches of an SDK's default size, each with different traces,
// into a full store.
func BenchmarkHandler(b *testing.B) {
	const batch = 512

	for _, contentType := range []string{protobufType, jsonType} {
		b.Run(contentType, func(b *testing.B) {
			store := traceview.NewStore(traceview.Limits{Traces: 100, Spans: 10_000})
			h := traceview.NewHandler(store)

			for n := 0; b.Loop(); n++ {
				b.StopTimer()

				spans := make([]*tracepb.Span, batch)
				id := sample.ID
				binary.BigEndian.PutUint64(id[:], uint64(n)+1)

				for i := range spans {
					spans[i] = sample.WireSpan(id, uint64(i)+1)
					spans[i].Attributes = sample.FullSpan().GetAttributes()
				}

				body := sample.Marshal(b, sample.Request(spans...))
				if contentType == jsonType {
					body = sample.JSON(b, sample.Request(spans...))
				}

				b.StartTimer()

				if w := post(h, bytes.NewReader(body), "Content-Type", contentType); w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}

			b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "spans/s")
		})
	}
}

func BenchmarkWriteTree(b *testing.B) {
	for name, tr := range map[string]spans.Trace{"order": sample.Order(), "10000 deep": sample.Chain(10_000)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := terminal.WriteTree(io.Discard, tr, terminal.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
