package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// setup returns telemetry and its log. Without a viewer in cfg, the spans go nowhere.
func setup(t *testing.T, cfg telemetry.Config) (*telemetry.Telemetry, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	cfg.LogWriter = &log
	if cfg.ViewerURL == "" {
		server := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		cfg.ViewerURL = server.URL
	}
	tel, err := telemetry.Setup(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tel.Shutdown(context.Background()) })
	return tel, &log
}

func TestSampler(t *testing.T) {
	const many = 2000
	production := "deployment.environment.name=production"
	for name, c := range map[string]struct {
		sampler, arg, resource string
		from, to               int // of many
		keepsEverything        bool
	}{
		"nothing set":              {"", "", "", many, many, true},
		"production":               {"", "", production, many / 20, many / 5, false},
		"production, all":          {"parentbased_always_on", "", production, many, many, true},
		"production, ratio":        {"parentbased_traceidratio", "0.5", production, many / 3, many * 2 / 3, false},
		"argument alone":           {"", "0.5", "", many / 3, many * 2 / 3, false},
		"argument that is none":    {"", "half", "", many, many, true},
		"off":                      {"always_off", "", "", 0, 0, false},
		"ratio of everything":      {"traceidratio", "1", "", many, many, true},
		"a sampler nobody knows":   {"often", "", "", many, many, true},
		"production, unknown name": {"often", "", production, many, many, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_TRACES_SAMPLER", c.sampler)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", c.arg)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", c.resource)
			tel, _ := setup(t, telemetry.Config{Service: "test"})
			kept := 0
			for range many {
				_, span := tel.Tracer().Start(t.Context(), "root")
				if span.SpanContext().IsSampled() {
					kept++
				}
				span.End()
			}
			if kept < c.from || kept > c.to {
				t.Errorf("%d of %d kept, want %d to %d", kept, many, c.from, c.to)
			}
			if got := telemetry.KeepsEverything(t.Context()); got != c.keepsEverything {
				t.Errorf("KeepsEverything is %v", got)
			}
		})
	}
}

func TestSamplerFollowsTheParent(t *testing.T) {
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=production")
	tel, _ := setup(t, telemetry.Config{Service: "test"})
	for _, flags := range []trace.TraceFlags{0, trace.FlagsSampled} {
		parent := trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true,
		})
		for range 100 {
			_, span := tel.Tracer().Start(trace.ContextWithSpanContext(t.Context(), parent), "child")
			if span.SpanContext().IsSampled() != parent.IsSampled() {
				t.Fatalf("parent sampled: %v, child sampled: %v", parent.IsSampled(), !parent.IsSampled())
			}
			span.End()
		}
	}
}

func TestDisabledSDKStillPropagates(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	tel, log := setup(t, telemetry.Config{Service: "test"})
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, Remote: true})
	ctx, span := tel.Tracer().Start(trace.ContextWithSpanContext(t.Context(), parent), "child")
	if span.IsRecording() || span.SpanContext().TraceID() != parent.TraceID() {
		t.Errorf("recording: %v, trace %s", span.IsRecording(), span.SpanContext().TraceID())
	}
	tel.Log.InfoContext(ctx, "hello")
	if !strings.Contains(log.String(), parent.TraceID().String()) {
		t.Errorf("no trace_id in %s", log)
	}
}

func TestLogLinesCarryTheSpan(t *testing.T) {
	tel, log := setup(t, telemetry.Config{Service: "test"})
	ctx, span := tel.Tracer().Start(t.Context(), "work")
	defer span.End()
	tel.Log.With("a", 1).InfoContext(ctx, "inside")
	tel.Log.Info("outside")
	var lines []map[string]any
	for text := range strings.Lines(log.String()) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 2 {
		t.Fatalf("lines: %v", lines)
	}
	inside, outside := lines[0], lines[1]
	sc := span.SpanContext()
	if inside["trace_id"] != sc.TraceID().String() || inside["span_id"] != sc.SpanID().String() ||
		inside["trace_flags"] != "01" || inside["service"] != "test" || inside["a"] != 1.0 {
		t.Errorf("inside: %v", inside)
	}
	if _, ok := outside["trace_id"]; ok {
		t.Errorf("outside: %v", outside)
	}
}
