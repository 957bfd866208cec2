//go:build load

package viewload_test

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strconv"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// The memory for a single request stays within -max-memory, as its help says: half a
// million spans with nothing but ids, in 15 MB.
func TestLoadMemoryOfOneRequest(t *testing.T) {
	id := func(n uint64, size int) []byte {
		b := make([]byte, size)
		binary.BigEndian.PutUint64(b[size-8:], n+1)
		return b
	}
	var spans []*tracepb.Span
	for i := range uint64(500_000) {
		spans = append(spans, &tracepb.Span{TraceId: id(i%1000, 16), SpanId: id(i, 8)})
	}
	body, err := proto.Marshal(&collectorpb.ExportTraceServiceRequest{
		ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, mib := range []int{128, 1} {
		v := startView(t, "-max-memory", strconv.Itoa(mib))
		answer := "no answer"
		response, err := http.Post(v.url+"/v1/traces", "application/x-protobuf", bytes.NewReader(body))
		if err == nil {
			answer = response.Status
			_ = response.Body.Close()
		}
		resident := v.residentMiB(t)
		t.Logf("-max-memory %d, one request of %d bytes (%s): %d MiB resident at most", mib, len(body), answer, resident)
		if resident > 3*mib+64 {
			t.Errorf("more than three times %d MiB and the 64 MiB beside it", mib)
		}
	}
}
