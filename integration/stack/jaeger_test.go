//go:build stack

package stack_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// jaeger is an empty Jaeger.
type jaeger struct {
	*program

	otlp  string // host:port of its OTLP receiver
	query string // URL of its API
}

func startJaeger(t *testing.T) *jaeger {
	t.Helper()
	otlp, query := freeAddr(t), freeAddr(t)
	j := &jaeger{otlp: otlp, query: "http://" + query}
	j.program = run(t, "jaeger", built(t, "jaeger"), []string{
		"OTLP_GRPC_ADDR=" + otlp, "QUERY_HTTP_ADDR=" + query, "QUERY_GRPC_ADDR=" + freeAddr(t),
	}, "--config=jaeger.yaml")
	j.answers(t, j.query+"/api/services")
	return j
}

// traces returns all traces that Jaeger has, queried service by service as its UI does.
func (j *jaeger) traces(t *testing.T) map[string]*trace {
	t.Helper()
	var services struct{ Data []string }
	j.get(t, "/api/services", &services)
	found := make(map[string]*trace)
	for _, service := range services.Data {
		var answer struct{ Data []jaegerTrace }
		j.get(t, fmt.Sprintf("/api/traces?service=%s&limit=100000&lookback=1h", service), &answer)
		for _, in := range answer.Data {
			found[in.TraceID] = in.trace()
		}
	}
	return found
}

// jaegerTrace is a trace in the format of Jaeger's UI, which has each span once.
type jaegerTrace struct {
	TraceID string
	Spans   []struct {
		SpanID, OperationName, ProcessID string
		References                       []struct{ TraceID, SpanID string }
	}
	Processes map[string]struct{ ServiceName string }
}

func (in jaegerTrace) trace() *trace {
	tr := &trace{}
	for _, s := range in.Spans {
		out := &span{id: s.SpanID, name: s.OperationName, service: in.Processes[s.ProcessID].ServiceName}
		// The parent comes first. If there is also a link to it, as with messages, Jaeger's
		// UI gets one reference for both, of the link's type, FOLLOWS_FROM.
		if len(s.References) > 0 && s.References[0].TraceID == in.TraceID {
			out.parent = s.References[0].SpanID
		}
		tr.spans = append(tr.spans, out)
	}
	return tr
}

func (j *jaeger) get(t *testing.T, path string, into any) {
	t.Helper()
	response, err := http.Get(j.query + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("jaeger answers %s to %s", response.Status, path)
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}
