package attributes_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A set is a set of strings.
type set map[string]bool

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// emitted is everything that a package has emitted.
type emitted struct {
	attributes map[string]map[string]string // type by key, by the kind of span, or by metric
	spans      map[string]set               // kind, operation name and type, by the kind of span
	metrics    map[string]string            // instrument and unit
	values     map[string]set               // of strings, by key
	later      set                          // kind of span and key
	headers    set
}

func newEmitted() *emitted {
	return &emitted{
		attributes: make(map[string]map[string]string), spans: make(map[string]set),
		metrics: make(map[string]string), values: make(map[string]set),
		later: make(set), headers: make(set),
	}
}

var typeNames = map[attribute.Type]string{
	attribute.STRING: "string", attribute.INT64: "int", attribute.FLOAT64: "double", attribute.BOOL: "boolean",
	attribute.STRINGSLICE: "string[]", attribute.INT64SLICE: "int[]",
}

func (e *emitted) add(on string, attributes []attribute.KeyValue) {
	if e.attributes[on] == nil {
		e.attributes[on] = make(map[string]string)
	}
	for _, kv := range attributes {
		key := string(kv.Key)
		typ := typeNames[kv.Value.Type()]
		if before := e.attributes[on][key]; before != "" && before != typ {
			typ = before + " or " + typ
		}
		e.attributes[on][key] = typ
		if kv.Value.Type() == attribute.STRING {
			if e.values[key] == nil {
				e.values[key] = make(set)
			}
			e.values[key][kv.Value.AsString()] = true
		}
	}
}

// addSpans adds the spans of a scope, with nameOf giving the kind of each.
func (e *emitted) addSpans(tel telemetry, scope string, nameOf func(sdktrace.ReadOnlySpan) string) {
	for _, s := range tel.spans.Ended() {
		if s.InstrumentationScope().Name != scope {
			continue
		}
		name := nameOf(s)
		e.add(name, s.Attributes())
		for _, key := range tel.later(s) {
			e.later[name+": "+key] = true
		}
		for _, l := range s.Links() {
			if len(l.Attributes) > 0 {
				e.add(name+" links", l.Attributes)
			}
		}
		if e.spans[name] == nil {
			e.spans[name] = make(set)
		}
		e.spans[name][fmt.Sprintf("%s %s %s", s.SpanKind(),
			valueOf(s, "messaging.operation.name"), valueOf(s, "messaging.operation.type"))] = true
	}
}

func valueOf(s sdktrace.ReadOnlySpan, key attribute.Key) string {
	for _, kv := range s.Attributes() {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

func (e *emitted) addMetrics(t *testing.T, reader *sdkmetric.ManualReader) {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			instrument := ""
			switch d := m.Data.(type) {
			case metricdata.Histogram[float64]:
				instrument = "histogram"
				addPoints(e, m.Name, d.DataPoints, func(p metricdata.HistogramDataPoint[float64]) attribute.Set { return p.Attributes })
			case metricdata.Sum[int64]:
				if instrument = "up-down counter"; d.IsMonotonic {
					instrument = "counter"
				}
				addPoints(e, m.Name, d.DataPoints, func(p metricdata.DataPoint[int64]) attribute.Set { return p.Attributes })
			case metricdata.Gauge[float64]:
				instrument = "gauge"
				addPoints(e, m.Name, d.DataPoints, func(p metricdata.DataPoint[float64]) attribute.Set { return p.Attributes })
			}
			e.metrics[m.Name] = instrument + " " + m.Unit
		}
	}
}

func addPoints[P any](e *emitted, name string, points []P, of func(P) attribute.Set) {
	for _, p := range points {
		set := of(p)
		e.add(name, set.ToSlice())
	}
}
