//go:build stack

package stack_test

import (
	"context"
	"net"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Two services each send to their own Collector of the first tier, and these send to two
// samplers. The first service's spans succeed, and the second's fail in every other trace.
// Traces that fail are kept whole, so all of their spans have reached the same sampler.
func TestTwoTiers(t *testing.T) {
	t.Parallel()
	const traces = 400
	j := startJaeger(t)
	var samplers []*collector
	var addrs []string
	for range 2 {
		addr := freeAddr(t)
		addrs = append(addrs, addr)
		samplers = append(samplers, startCollector(t, j.otlp, "OTLP_GRPC_ADDR="+addr, "SAMPLING_PERCENTAGE=0.0001"))
	}
	first, second := startGateway(t, addrs), startGateway(t, addrs)
	front, back := serviceAt(t, "front", first.url), serviceAt(t, "back", second.url)
	for i := range traces {
		ctx, span := front.Tracer("").Start(context.Background(), "publish")
		span.End()
		_, span = back.Tracer("").Start(ctx, "process")
		if i%2 == 0 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
	for _, sdk := range []*sdktrace.TracerProvider{front, back} {
		if err := sdk.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	// Each exports what it has before it ends.
	first.terminate(t)
	second.terminate(t)
	for _, s := range samplers {
		n := s.metric(t, "otelcol_receiver_accepted_spans")
		t.Logf("a sampler got %.0f of %d spans", n, 2*traces)
		// Consistent hashing does not distribute evenly.
		if share := n / (2 * traces); share < 0.2 || share > 0.8 {
			t.Errorf("a sampler got %.0f %% of the spans, the other the rest", 100*share)
		}
		s.terminate(t)
	}
	kept := j.traces(t)
	if len(kept) != traces/2 {
		t.Errorf("%d traces were kept, want %d", len(kept), traces/2)
	}
	for id, tr := range kept {
		if len(tr.spans) != 2 || tr.orphan() != nil {
			t.Errorf("trace %s has %d spans, want 2", id, len(tr.spans))
		}
	}
}

// startGateway starts a Collector with deploy/scale/gateway.yaml.
func startGateway(t *testing.T, samplers []string) *collector {
	t.Helper()
	receiver, health, own := freeAddr(t), freeAddr(t), freeAddr(t)
	host, port, _ := net.SplitHostPort(own)
	c := &collector{url: "http://" + receiver, metrics: "http://" + own + "/metrics"}
	args := []string{"--config=../../deploy/scale/gateway.yaml", "--config=yaml:exporters::debug::verbosity: basic"}
	for _, exporter := range []string{"load_balancing", "load_balancing/metrics"} {
		args = append(args,
			"--config=yaml:exporters::"+exporter+"::resolver::dns:",
			"--config=yaml:exporters::"+exporter+"::resolver::static::hostnames: ["+samplers[0]+", "+samplers[1]+"]")
	}
	c.program = run(t, "gateway", built(t, "otelcol"), []string{
		"OTLP_HTTP_ADDR=" + receiver, "OTLP_GRPC_ADDR=" + freeAddr(t), "HEALTH_ADDR=" + health,
		"METRICS_HOST=" + host, "METRICS_PORT=" + port, "LOGS_EXPORTERS=[debug]",
	}, args...)
	c.answers(t, "http://"+health)
	return c
}

func serviceAt(t *testing.T, name, otlp string) *sdktrace.TracerProvider {
	t.Helper()
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(otlp+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBlocking()),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(name))))
}
