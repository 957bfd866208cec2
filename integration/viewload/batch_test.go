//go:build load

package viewload_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A batch is as large as an SDK's by default: 4 traces of 128 spans, so that the thousand
// traces that view keeps fill its memory.
const (
	tracesPerBatch = 4
	spansPerTrace  = 128
	batchSize      = tracesPerBatch * spansPerTrace
)

// marker stands for the half of a trace id that differs in each batch.
var marker = []byte("\xa7LOADED\xa7")

// newBatch encodes a batch. Encoding one for each request would cost the sender more than
// the receiver.
func newBatch(t *testing.T) []byte {
	t.Helper()
	var spans []*tracepb.Span
	for n := range uint64(tracesPerBatch) {
		id := binary.BigEndian.AppendUint64(bytes.Clone(marker), n+1)
		for i := range uint64(spansPerTrace) {
			spans = append(spans, newSpan(id, i))
		}
	}
	body, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{text("service.name", "order-api"), text("host.name", "worker-7")}},
		ScopeSpans: []*tracepb.ScopeSpans{{Scope: &commonpb.InstrumentationScope{Name: "load"}, Spans: spans}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// newSpan is the nth span of a trace: producers under the first one, and a consumer
// under each.
func newSpan(traceID []byte, n uint64) *tracepb.Span {
	const (
		began = 1_790_000_000_000_000_000
		step  = 1_000_000
	)
	s := &tracepb.Span{
		TraceId: traceID, SpanId: spanID(n), Name: "publish orders", Kind: tracepb.Span_SPAN_KIND_PRODUCER,
		StartTimeUnixNano: began + n*step, EndTimeUnixNano: began + n*step + step/2,
		Attributes: []*commonpb.KeyValue{
			text("messaging.system", "rabbitmq"), text("messaging.destination.name", "orders:order.created"),
			text("messaging.message.id", "0f2c6c1e-5b0c-4c39-9d58-2f9e4f3b6d11"), text("server.address", "rabbit.internal"),
		},
	}
	if n%2 == 1 {
		s.Name, s.Kind = "process order-mails", tracepb.Span_SPAN_KIND_CONSUMER
		s.Links = []*tracepb.Span_Link{{TraceId: traceID, SpanId: spanID(n - 1)}}
		s.Attributes = append(s.Attributes, text("mqtrace.settlement", "ack"))
	}
	switch {
	case n%2 == 1:
		s.ParentSpanId = spanID(n - 1)
	case n > 0:
		s.ParentSpanId = spanID(0)
	}
	return s
}

func spanID(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n+1) }

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// renew gives a batch new trace ids.
func renew(batch []byte, number uint64) []byte {
	return bytes.ReplaceAll(batch, marker, binary.BigEndian.AppendUint64(nil, number))
}
