// Package messagingtest reads what the metrics of the trace packages have counted, for
// their tests.
package messagingtest

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

// Every histogram of the packages has the buckets of the semantic conventions and, in a
// test, at most this sum of seconds.
const (
	bounds     = 14
	maxSeconds = 60
)

// Points returns the metric points as text, each as often as it was counted: name,
// operation, destination, error type and what the packages add. The test fails if a point
// is of another scope or system, or a duration is not in seconds and in the buckets of the
// conventions.
func Points(tb testing.TB, reader *sdkmetric.ManualReader, scopeName, system string) []string {
	tb.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(tb.Context(), &data); err != nil {
		tb.Fatal(err)
	}
	r := reading{TB: tb, system: system}
	for _, scope := range data.ScopeMetrics {
		if scope.Scope.Name != scopeName || scope.Scope.Version == "" || scope.Scope.SchemaURL == "" {
			tb.Errorf("scope %v", scope.Scope)
		}
		for _, m := range scope.Metrics {
			r.metric(m)
		}
	}
	return r.points
}

type reading struct {
	testing.TB

	system string
	points []string
}

func (r *reading) metric(m metricdata.Metrics) {
	r.Helper()
	switch d := m.Data.(type) {
	case metricdata.Histogram[float64]:
		for _, p := range d.DataPoints {
			r.add(m.Name, p.Attributes, p.Count)
			if m.Unit != "s" || p.Sum < 0 || p.Sum > maxSeconds || len(p.Bounds) != bounds {
				r.Errorf("%s: unit %q, sum %v, %d bounds", m.Name, m.Unit, p.Sum, len(p.Bounds))
			}
		}
	case metricdata.Sum[int64]:
		for _, p := range d.DataPoints {
			r.add(m.Name, p.Attributes, uint64(max(0, p.Value)))
		}
	}
}

func (r *reading) add(name string, attributes attribute.Set, n uint64) {
	r.Helper()
	if v, _ := attributes.Value("messaging.system"); v.AsString() != r.system {
		r.Errorf("%s is not of %s", name, r.system)
	}
	if _, ok := attributes.Value("messaging.operation.type"); ok != (name == "messaging.client.operation.duration") {
		r.Errorf("%s with messaging.operation.type: %t", name, ok)
	}
	for range n {
		r.points = append(r.points, pointText(name, attributes))
	}
}

func pointText(name string, attributes attribute.Set) string {
	parts := []string{strings.TrimPrefix(name, "messaging.")}
	for _, key := range []attribute.Key{
		"messaging.operation.name", "messaging.destination.name", "error.type",
		"mqtrace.settlement", "asynq.task.type", "asynq.task.outcome",
	} {
		if v, ok := attributes.Value(key); ok {
			parts = append(parts, v.AsString())
		}
	}
	return strings.Join(parts, " ")
}
