package integration_test

import (
	"encoding/hex"
	"maps"
	"slices"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	otlpmetrics "go.opentelemetry.io/proto/otlp/metrics/v1"
)

// logRecord is a log record as it went over the wire.
type logRecord struct {
	trace, span, service string
	body                 string
	attrs                attrs
}

func logRecordsOf(request *logspb.ExportLogsServiceRequest) []*logRecord {
	var records []*logRecord
	for _, rl := range request.GetResourceLogs() {
		service, _ := attrsOf(rl.GetResource().GetAttributes())["service.name"].(string)
		for _, sl := range rl.GetScopeLogs() {
			for _, in := range sl.GetLogRecords() {
				records = append(records, &logRecord{
					trace:   hex.EncodeToString(in.GetTraceId()),
					span:    hex.EncodeToString(in.GetSpanId()),
					service: service,
					body:    in.GetBody().GetStringValue(),
					attrs:   attrsOf(in.GetAttributes()),
				})
			}
		}
	}
	return records
}

// metricPoint is a point of a sum or a histogram as it went over the wire.
type metricPoint struct {
	service, name, unit string
	attrs, resource     attrs
	count               uint64   // of measurements, or the sum of a counter
	sum                 float64  // of a histogram
	exemplars           []string // trace ids
}

func metricPointsOf(request *metricspb.ExportMetricsServiceRequest) []*metricPoint {
	var points []*metricPoint
	for _, rm := range request.GetResourceMetrics() {
		resource := attrsOf(rm.GetResource().GetAttributes())
		service, _ := resource["service.name"].(string)
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				add := func(attributes []*commonpb.KeyValue, count uint64, sum float64, exemplars []*otlpmetrics.Exemplar) {
					p := &metricPoint{
						service: service, name: m.GetName(), unit: m.GetUnit(),
						attrs: attrsOf(attributes), resource: resource, count: count, sum: sum,
					}
					for _, e := range exemplars {
						p.exemplars = append(p.exemplars, hex.EncodeToString(e.GetTraceId()))
					}
					points = append(points, p)
				}
				for _, dp := range m.GetHistogram().GetDataPoints() {
					add(dp.GetAttributes(), dp.GetCount(), dp.GetSum(), dp.GetExemplars())
				}
				for _, dp := range m.GetSum().GetDataPoints() {
					add(dp.GetAttributes(), uint64(dp.GetAsInt()), 0, dp.GetExemplars())
				}
			}
		}
	}
	return points
}

// last returns a service's latest collection of a metric: its points by the value of an
// attribute.
func (c *collector) last(service, name, by string) map[string]*metricPoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	points := make(map[string]*metricPoint)
	for _, p := range c.metrics {
		if p.service == service && p.name == name {
			value, _ := p.attrs[by].(string)
			points[value] = p
		}
	}
	return points
}

// metricNames returns the names of a service's metrics.
func (c *collector) metricNames(service string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make(map[string]bool)
	for _, p := range c.metrics {
		if p.service == service {
			names[p.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// logged returns the log records of a trace, as service and body.
func (c *collector) logged(traceID string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lines []string
	for _, r := range c.logs {
		if r.trace == traceID {
			lines = append(lines, r.service+": "+r.body)
		}
	}
	slices.Sort(lines)
	return lines
}
