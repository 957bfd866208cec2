package carrier_test

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

var streamPropagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

const streamParent = "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01"

func streamContext() context.Context {
	return carrier.Headers{"traceparent": streamParent}.Extract(context.Background(), streamPropagator)
}

// The entry keeps its shape and its fields, loses what it carried before, and the
// caller's value is left alone.
func TestInjectStream(t *testing.T) {
	for name, tt := range map[string]struct{ values, before, want any }{
		"map": {
			map[string]any{"n": 7, "Traceparent": "old", "x-opt-tracestate": "old"},
			map[string]any{"n": 7, "Traceparent": "old", "x-opt-tracestate": "old"},
			map[string]any{"n": 7, "traceparent": streamParent},
		},
		"map of strings": {
			map[string]string{"n": "7", "baggage": "old"}, map[string]string{"n": "7", "baggage": "old"},
			map[string]string{"n": "7", "traceparent": streamParent},
		},
		"slice": {
			[]any{"z", 1, []byte("baggage"), "old", "a", nil, 3, 4}, []any{"z", 1, []byte("baggage"), "old", "a", nil, 3, 4},
			[]any{"z", 1, "a", nil, 3, 4, "traceparent", streamParent},
		},
		"slice of strings": {
			[]string{"z", "1", "TRACEPARENT", "old", "a", "2"}, []string{"z", "1", "TRACEPARENT", "old", "a", "2"},
			[]string{"z", "1", "a", "2", "traceparent", streamParent},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := carrier.InjectStream(streamContext(), streamPropagator, tt.values)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if !reflect.DeepEqual(tt.values, tt.before) {
				t.Errorf("the caller's became %v", tt.values)
			}
		})
	}
}

// What go-redis or Redis would refuse, or what is of a shape that is not known, is
// not touched: neither made acceptable nor broken.
func TestInjectStreamLeavesAlone(t *testing.T) {
	type entry struct {
		N int `redis:"n"`
	}
	for _, values := range []any{
		nil, 7, "a", entry{7}, map[string]any{}, map[string]any(nil), []any{}, []any{"a"}, []string{"a", "b", "c"}, []int{1, 2},
	} {
		if got := carrier.InjectStream(streamContext(), nil, values); !reflect.DeepEqual(got, values) {
			t.Errorf("%v became %v", values, got)
		}
	}
	// A slice with spare room is not written to.
	room := append(make([]string, 0, 8), "a", "1")
	_ = carrier.InjectStream(streamContext(), streamPropagator, room)
	if rest := room[:8][2:]; !slices.Equal(rest, make([]string, 6)) {
		t.Errorf("the spare room has %q", rest)
	}
}

func TestStreamRoundTrip(t *testing.T) {
	values, _ := carrier.InjectStream(streamContext(), streamPropagator, map[string]any{"n": "7"}).(map[string]any)
	ctx := carrier.Table(values).Extract(context.Background(), streamPropagator)
	if sc := trace.SpanContextFromContext(ctx); !sc.Equal(trace.SpanContextFromContext(streamContext())) {
		t.Errorf("%v carries %v", slices.Collect(maps.Keys(values)), sc)
	}
}
