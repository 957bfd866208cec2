//go:build stack

package stack_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// account is what the SDK of a process counts about its spans.
type account struct {
	started  int64
	exported int64 // and accepted by the Collector
	failed   int64 // exported and not accepted, and lost
	overflow int64 // lost because the queue was full
}

// settled reports whether every span is accounted for.
func (a *account) settled() bool {
	return a.started > 0 && a.started == a.exported+a.failed+a.overflow
}

func (a *account) String() string {
	return fmt.Sprintf("%d spans: %d exported, %d lost with their export, %d lost to a full queue",
		a.started, a.exported, a.failed, a.overflow)
}

// observing enables the SDK's own metrics, which have names of the semantic conventions:
// https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
var observing = []string{"OTEL_GO_X_OBSERVABILITY=true", "OTEL_METRIC_EXPORT_INTERVAL=500"}

// accountant receives metrics, and keeps accounts of spans.
type accountant struct {
	*httptest.Server

	mu       sync.Mutex
	accounts map[string]*account // by service
}

func startAccountant(t *testing.T) *accountant {
	t.Helper()
	a := &accountant{accounts: make(map[string]*account)}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.receive(r); err != nil {
			t.Errorf("unreadable metrics: %v", err)
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *accountant) receive(r *http.Request) error {
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
	var request collectorpb.ExportMetricsServiceRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return err
	}
	for _, rm := range request.GetResourceMetrics() {
		var sum account
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				sum.add(m)
			}
		}
		if sum.started > 0 {
			a.mu.Lock()
			a.accounts[serviceOf(rm.GetResource())] = &sum
			a.mu.Unlock()
		}
	}
	return nil
}

// add adds a metric's counts, which are cumulative since the process started.
func (a *account) add(m *metricspb.Metric) {
	for _, p := range m.GetSum().GetDataPoints() {
		why := ""
		for _, kv := range p.GetAttributes() {
			if kv.GetKey() == "error.type" {
				why = kv.GetValue().GetStringValue()
			}
		}
		switch n := p.GetAsInt(); m.GetName() {
		case "otel.sdk.span.started":
			a.started += n
		case "otel.sdk.processor.span.processed":
			if why == "queue_full" {
				a.overflow += n
			}
		case "otel.sdk.exporter.span.exported":
			if why == "" {
				a.exported += n
			} else {
				a.failed += n
			}
		}
	}
}

// books are the accounts of all processes. A process that hosts several services has the
// spans of all of them under the name of the first.
func (a *accountant) books() map[string]*account {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.accounts)
}

// sum returns the account of all processes together.
func (a *accountant) sum() (all account) {
	for _, one := range a.books() {
		all.started += one.started
		all.exported += one.exported
		all.failed += one.failed
		all.overflow += one.overflow
	}
	return all
}

// settled reports whether each of the example's three processes has accounted for its spans.
func (a *accountant) settled() bool {
	n := 0
	for _, one := range a.books() {
		if one.settled() {
			n++
		}
	}
	return n == 3
}
