package tracecontext_test

import (
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	good    = "00-" + traceID + "-" + spanID + "-01"
)

func TestRead(t *testing.T) {
	for name, tt := range map[string]struct {
		headers map[string]any
		state   tracecontext.State
		problem string
		baggage string
	}{
		"none":            {nil, tracecontext.None, "", ""},
		"other headers":   {map[string]any{"x-traceparent": good, "n": int64(1)}, tracecontext.None, "", ""},
		"plain":           {map[string]any{"traceparent": good}, tracecontext.OK, "", ""},
		"bytes":           {map[string]any{"traceparent": []byte(good)}, tracecontext.OK, "", ""},
		"other case":      {map[string]any{"Traceparent": good, "Baggage": "b=1,a=2"}, tracecontext.OK, "", "a,b"},
		"annotation":      {map[string]any{"x-opt-traceparent": good}, tracecontext.OK, "", ""},
		"blanks":          {map[string]any{"traceparent": " " + good + "\t"}, tracecontext.OK, "", ""},
		"later version":   {map[string]any{"traceparent": "01-" + traceID + "-" + spanID + "-01-more"}, tracecontext.OK, "", ""},
		"baggage alone":   {map[string]any{"baggage": "tenant=t1"}, tracecontext.None, "", "tenant"},
		"twins alike":     {map[string]any{"traceparent": good, "TRACEPARENT": good}, tracecontext.OK, "", ""},
		"twins":           {map[string]any{"traceparent": good, "TRACEPARENT": strings.Replace(good, "4bf", "5bf", 1)}, tracecontext.Bad, "different", ""},
		"number":          {map[string]any{"traceparent": int64(7)}, tracecontext.Bad, "not text", ""},
		"empty":           {map[string]any{"traceparent": ""}, tracecontext.Bad, "empty", ""},
		"bad annotation":  {map[string]any{"X-Opt-Traceparent": "x"}, tracecontext.Bad, "four fields", ""},
		"cut":             {map[string]any{"traceparent": good[:40]}, tracecontext.Bad, "four fields", ""},
		"bad version":     {map[string]any{"traceparent": "0" + good}, tracecontext.Bad, "version", ""},
		"version ff":      {map[string]any{"traceparent": "ff" + good[2:]}, tracecontext.Bad, "ff", ""},
		"zero trace id":   {map[string]any{"traceparent": "00-" + strings.Repeat("0", 32) + "-" + spanID + "-01"}, tracecontext.Bad, "trace id in traceparent is all zeros", ""},
		"no hex trace id": {map[string]any{"traceparent": strings.Replace(good, "4bf", "xbf", 1)}, tracecontext.Bad, "trace id", ""},
		"upper case":      {map[string]any{"traceparent": strings.ToUpper(good)}, tracecontext.Bad, "lower-case", ""},
		"zero parent id":  {map[string]any{"traceparent": "00-" + traceID + "-0000000000000000-01"}, tracecontext.Bad, "parent id in traceparent is all zeros", ""},
		"no parent id":    {map[string]any{"traceparent": "00-" + traceID + "--01"}, tracecontext.Bad, "parent id", ""},
		"bad flags":       {map[string]any{"traceparent": good[:53] + "zz"}, tracecontext.Bad, "flags", ""},
		"five fields":     {map[string]any{"traceparent": good + "-x"}, tracecontext.Bad, "more than four", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := tracecontext.Read(tt.headers)
			var keys []string
			for _, m := range c.Baggage {
				keys = append(keys, m.Key())
			}
			if c.State != tt.state || !strings.Contains(c.Problem, tt.problem) ||
				(c.Problem == "") != (tt.problem == "") || strings.Join(keys, ",") != tt.baggage {
				t.Errorf("%s, %q, baggage %q", c.State, c.Problem, keys)
			}
			if ok := tt.state == tracecontext.OK; ok != c.Span.IsValid() ||
				ok && (c.Span.TraceID().String() != traceID || c.Span.SpanID().String() != spanID || !c.Span.IsSampled()) {
				t.Errorf("span context %v", c.Span)
			}
		})
	}
}

func TestReadText(t *testing.T) {
	if c := tracecontext.ReadText(map[string]string{"traceparent": good}); c.State != tracecontext.OK {
		t.Errorf("%+v", c)
	}
}
