package traceview_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/http"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

// BenchmarkHandler receives batches of the size that an SDK sends by default,
// each with traces of its own, into a store that is full.
func BenchmarkHandler(b *testing.B) {
	const batch = 512

	for _, contentType := range []string{protobufType, jsonType} {
		b.Run(contentType, func(b *testing.B) {
			store := traceview.NewStore(traceview.Limits{Traces: 100, Spans: 10_000})
			h := traceview.NewHandler(store)

			for n := 0; b.Loop(); n++ {
				b.StopTimer()

				spans := make([]*tracepb.Span, batch)
				id := sampleID
				binary.BigEndian.PutUint64(id[:], uint64(n)+1)

				for i := range spans {
					spans[i] = wireSpan(id, uint64(i)+1)
					spans[i].Attributes = fullSpan().GetAttributes()
				}

				body := marshal(b, request(spans...))
				if contentType == jsonType {
					body = toJSON(b, request(spans...))
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
	for name, tr := range map[string]traceview.Trace{"order": orderTrace(), "10000 deep": chain(10_000)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := traceview.WriteTree(io.Discard, tr, traceview.TreeOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
