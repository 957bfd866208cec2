package telemetry_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// collector receives OTLP/HTTP.
type collector struct {
	*httptest.Server

	mu       sync.Mutex
	requests map[string]int // by path
	header   http.Header    // of the last request
	logs     []*logspb.ResourceLogs
	metrics  []*metricspb.ResourceMetrics
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{requests: make(map[string]int)}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(r *http.Request) error {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(body); err != nil {
			return err
		}
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests[r.URL.Path]++
	c.header = r.Header
	switch r.URL.Path {
	case "/v1/logs":
		var request collectorlogs.ExportLogsServiceRequest
		err = proto.Unmarshal(data, &request)
		c.logs = append(c.logs, request.GetResourceLogs()...)
	case "/v1/metrics":
		var request collectormetrics.ExportMetricsServiceRequest
		err = proto.Unmarshal(data, &request)
		c.metrics = append(c.metrics, request.GetResourceMetrics()...)
	}
	return err
}

// count returns how many requests there were for a path.
func (c *collector) count(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[path]
}

// records returns the log records received, and the service of each.
func (c *collector) records() (records []*logspb.LogRecord, services []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range c.logs {
		for _, scope := range resource.GetScopeLogs() {
			for _, record := range scope.GetLogRecords() {
				records = append(records, record)
				for _, kv := range resource.GetResource().GetAttributes() {
					if kv.GetKey() == "service.name" {
						services = append(services, kv.GetValue().GetStringValue())
					}
				}
			}
		}
	}
	return records, services
}

// metric returns the last collection of a metric, or nil.
func (c *collector) metric(name string) *metricspb.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found *metricspb.Metric
	for _, resource := range c.metrics {
		for _, scope := range resource.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				if m.GetName() == name {
					found = m
				}
			}
		}
	}
	return found
}
