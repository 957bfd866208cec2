//go:build stack

package stack_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"math"
	"net/http"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mqtrace/mqtrace/examples/order-notification/email"
)

// The figures that docs/growing.md calculates with. They may be off by half, as attributes
// come and go; beyond that, the page has to be recalculated.
const (
	spansOfATrace      = 12
	bytesOfASpan       = 350 // as sent, in batches, with its share of resource and scope
	zippedBytesOfASpan = 60
	kibOfATrace        = 22 // resident memory of the Collector for each waiting trace
)

const (
	sampleOrders = 300
	heldTraces   = 20_000
)

const (
	heapMetric = "otelcol_process_runtime_heap_alloc_bytes"
	cpuMetric  = "otelcol_process_cpu_seconds"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	c := startCollector(t, freeAddr(t), "SAMPLING_DECISION_WAIT=1h", "SAMPLING_NUM_TRACES=100000",
		"MEMORY_LIMIT_MIB=8000", "MEMORY_SPIKE_MIB=500")
	r := startRecorder(t, c)
	s := startServices(t, servers(t), r.URL, "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none")
	customers := newCustomers(t, s.url)
	customers.send(context.Background(), steadyRate, func(i int) (kind, bool) { return good, i < sampleOrders })
	orders := customers.answered()
	if len(orders) != sampleOrders {
		t.Fatalf("%d of %d orders were accepted", len(orders), sampleOrders)
	}
	for _, o := range orders {
		eventually(t, "the trace is complete", func() bool {
			tr := r.trace(o.trace)
			return tr != nil && tr.orphan() == nil && tr.count(email.Name, "send email") == 1
		})
	}
	check := func(what string, got, documented float64) {
		t.Helper()
		t.Logf("%s: %.0f (documented: %.0f)", what, got, documented)
		if math.Abs(got-documented) > documented/2 {
			t.Errorf("%s: %.0f, and docs/growing.md calculates with %.0f", what, got, documented)
		}
	}
	check("spans of a trace", float64(r.spans)/sampleOrders, spansOfATrace)
	check("bytes of a span", float64(r.bytes)/float64(r.spans), bytesOfASpan)
	check("bytes of a span, with gzip", float64(r.zipped)/float64(r.spans), zippedBytesOfASpan)

	before, heap, cpu := c.memory(t), c.metric(t, heapMetric), c.metric(t, cpuMetric)
	r.repeat(t, c, orders[0].trace, heldTraces)
	held := c.metric(t, "otelcol_processor_tail_sampling_sampling_traces_on_memory")
	eventually(t, "the Collector holds all traces", func() bool {
		held = c.metric(t, "otelcol_processor_tail_sampling_sampling_traces_on_memory")
		return held == heldTraces+sampleOrders
	})
	after := c.memory(t)
	t.Logf("Collector: %.0f MiB, %.0f MiB with %.0f traces; the heap grew by %.0f MiB; %.1f s of CPU for a million spans",
		before, after, held, (c.metric(t, heapMetric)-heap)/(1<<20),
		(c.metric(t, cpuMetric)-cpu)/(heldTraces*spansOfATrace)*1e6)
	check("KiB of a trace that waits", (after-before)*1024/heldTraces, kibOfATrace)
}

// repeat sends the spans of a trace again and again, each time with a different trace id,
// in batches by service like those of the services.
func (r *recorder) repeat(t *testing.T, c *collector, id string, times int) {
	t.Helper()
	var template []*tracepb.ResourceSpans
	for _, s := range r.trace(id).spans {
		template = append(template, s.raw)
	}
	const atOnce = 100 // traces
	for range times / atOnce {
		batches := make(map[string]*tracepb.ResourceSpans)
		for range atOnce {
			traceID := make([]byte, 16)
			_, _ = rand.Read(traceID)
			for _, rs := range template {
				in := rs.GetScopeSpans()[0]
				span := proto.CloneOf(in.GetSpans()[0])
				span.TraceId = traceID
				addTo(batches, rs, in, span)
			}
		}
		for _, rs := range batches {
			body, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{rs}})
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.Post(c.url+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Fatalf("the Collector answers %s", response.Status)
			}
		}
	}
}

// addTo adds a span to the batch of its service, under its scope.
func addTo(batches map[string]*tracepb.ResourceSpans, rs *tracepb.ResourceSpans, in *tracepb.ScopeSpans, span *tracepb.Span) {
	service := serviceOf(rs.GetResource())
	batch := batches[service]
	if batch == nil {
		batch = &tracepb.ResourceSpans{Resource: rs.GetResource(), SchemaUrl: rs.GetSchemaUrl()}
		batches[service] = batch
	}
	for _, ss := range batch.GetScopeSpans() {
		if ss.GetScope().GetName() == in.GetScope().GetName() {
			ss.Spans = append(ss.Spans, span)
			return
		}
	}
	batch.ScopeSpans = append(batch.ScopeSpans, &tracepb.ScopeSpans{
		Scope: in.GetScope(), SchemaUrl: in.GetSchemaUrl(), Spans: []*tracepb.Span{span},
	})
}
