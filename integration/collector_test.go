package integration_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// patience is how long a test waits for spans. It is long because build machines are slow
// at times.
const patience = time.Minute

// collector receives OTLP/HTTP. It shares no code with the receiver that the demo uses, so
// that a mistake there is not hidden by the same mistake here.
type collector struct {
	*httptest.Server

	mu      sync.Mutex
	spans   []*span
	logs    []*logRecord
	metrics []*metricPoint
	changed chan struct{} // closed and replaced at each change
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", receive(c, func(request *collectorpb.ExportTraceServiceRequest) {
		c.spans = append(c.spans, spansOf(request)...)
	}))
	mux.HandleFunc("POST /v1/logs", receive(c, func(request *logspb.ExportLogsServiceRequest) {
		c.logs = append(c.logs, logRecordsOf(request)...)
	}))
	mux.HandleFunc("POST /v1/metrics", receive(c, func(request *metricspb.ExportMetricsServiceRequest) {
		c.metrics = append(c.metrics, metricPointsOf(request)...)
	}))
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

// message is an OTLP request: a pointer to T.
type message[T any] interface {
	*T
	proto.Message
}

// receive hands the requests for one signal to take, one at a time.
func receive[T any, M message[T]](c *collector, take func(M)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request T
		if err := decode(r, M(&request)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		take(&request)
		close(c.changed)
		c.changed = make(chan struct{})
	}
}

func decode(r *http.Request, request proto.Message) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unzipped
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return proto.Unmarshal(data, request)
}

// trace returns the spans of a trace received so far, and a channel that is closed when
// there are more.
func (c *collector) trace(id string) (trace, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var t trace
	for _, s := range c.spans {
		if s.trace == id {
			t = append(t, s)
		}
	}
	return t, c.changed
}

// count returns how many spans have that key, whatever their trace.
func (c *collector) count(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, s := range c.spans {
		if s.key() == key {
			n++
		}
	}
	return n
}

// wait returns a trace once it has spans with all of the keys and every span's parent, and
// fails the test if that takes too long.
func (c *collector) wait(t *testing.T, id string, keys ...string) trace {
	t.Helper()
	late := time.After(patience)
	for {
		tr, changed := c.trace(id)
		orphan := orphanOf(tr)
		if tr.has(keys...) && orphan == nil {
			return tr
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("trace %s is not complete.\nwant: %s\nhave: %s\norphan: %v",
				id, strings.Join(keys, "\n      "), strings.Join(tr.keys(), "\n      "), orphan)
		}
	}
}

func orphanOf(tr trace) *span {
	known := make(map[string]bool, len(tr))
	for _, s := range tr {
		known[s.id] = true
	}
	for _, s := range tr {
		if s.parent != "" && !known[s.parent] {
			return s
		}
	}
	return nil
}
