//go:build stack

package stack_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// decisionWait is long enough for an order to get to its email on a busy machine, two
// seconds of a slow payment included, and short enough for a test.
const decisionWait = 12 * time.Second

// collector is a Collector with deploy/collector/config.yaml.
type collector struct {
	*program

	url     string // of its OTLP receiver
	metrics string // of its own metrics
	restart func(t *testing.T)
}

// startCollector starts a Collector that sends the traces it keeps to a Jaeger, and drops
// logs and metrics.
func startCollector(t *testing.T, jaeger string, env ...string) *collector {
	t.Helper()
	receiver, health, own := freeAddr(t), freeAddr(t), freeAddr(t)
	host, port, _ := net.SplitHostPort(own)
	env = append([]string{
		"OTLP_HTTP_ADDR=" + receiver,
		"OTLP_GRPC_ADDR=" + freeAddr(t),
		"HEALTH_ADDR=" + health,
		"METRICS_HOST=" + host, "METRICS_PORT=" + port,
		"PROMETHEUS_ADDR=" + freeAddr(t),
		"JAEGER_ENDPOINT=" + jaeger,
		"TRACES_EXPORTERS=[otlp_grpc/jaeger]",
		"LOGS_EXPORTERS=[debug]",
		"SAMPLING_DECISION_WAIT=" + decisionWait.String(),
	}, env...)
	c := &collector{url: "http://" + receiver, metrics: "http://" + own + "/metrics"}
	c.restart = func(t *testing.T) {
		t.Helper()
		c.program = run(t, "otelcol", built(t, "otelcol"), env,
			"--config=../../deploy/collector/config.yaml", "--config=yaml:exporters::debug::verbosity: basic")
		c.answers(t, "http://"+health)
	}
	c.restart(t)
	return c
}

// metric returns the sum of one of the Collector's own metrics over the series that have
// all of the labels, each written as name="value".
func (c *collector) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	response, err := http.Get(c.metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if base, _, _ := strings.Cut(series, "{"); base != name || !hasAll(series, labels) {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		sum += v
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return sum
}

func hasAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// decisions returns how many traces each policy kept.
func (c *collector) decisions(t *testing.T, policies ...string) string {
	t.Helper()
	var words []string
	for _, policy := range policies {
		n := c.metric(t, "otelcol_processor_tail_sampling_count_traces_sampled",
			`policy="`+policy+`"`, `sampled="true"`)
		words = append(words, fmt.Sprintf("%s %.0f", policy, n))
	}
	return strings.Join(words, ", ")
}
