package asynqtrace_test

import (
	"context"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/internal/messaging/messagingtest"
)

// points returns the metric points, each as often as it was counted, written as name,
// operation, destination and error type.
func (s *scene) points() []string {
	s.Helper()
	var got []string
	for _, point := range messagingtest.Points(s, s.metrics, asynqtrace.ScopeName, "asynq") {
		got = append(got, s.named(point))
	}
	slices.Sort(got)
	return got
}

// counted returns how many messages were consumed, settled and without context.
func (s *scene) counted() (consumed, settled, without int) {
	for _, point := range s.points() {
		switch name, _, _ := strings.Cut(point, " "); name {
		case "client.consumed.messages":
			consumed++
		case "mqtrace.messages.settled":
			settled++
		case "mqtrace.messages.without_context":
			without++
		}
	}
	return consumed, settled, without
}

// queueTimes returns how many queue times were recorded, whatever their length.
func (s *scene) queueTimes() (n uint64) {
	s.Helper()
	var data metricdata.ResourceMetrics
	s.ok(s.metrics.Collect(context.Background(), &data))
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			if d, ok := m.Data.(metricdata.Histogram[float64]); ok && m.Name == "mqtrace.queue_time" {
				for _, p := range d.DataPoints {
					n += p.Count
				}
			}
		}
	}
	return n
}

// attributeSets returns the attribute sets of all metric points, by metric name.
func (s *scene) attributeSets() map[string][]attribute.Set {
	s.Helper()
	var data metricdata.ResourceMetrics
	s.ok(s.metrics.Collect(context.Background(), &data))
	sets := make(map[string][]attribute.Set)
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					sets[m.Name] = append(sets[m.Name], p.Attributes)
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					sets[m.Name] = append(sets[m.Name], p.Attributes)
				}
			}
		}
	}
	return sets
}
