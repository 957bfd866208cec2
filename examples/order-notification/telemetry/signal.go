package telemetry

import (
	"context"
	"log/slog"
	"os"
	"strings"
)

// defaultEndpoint is where a Collector on the same machine listens.
const defaultEndpoint = "http://localhost:4318"

// signal is one of OpenTelemetry's three, as the paths of OTLP spell it.
type signal string

const (
	signalTraces  signal = "traces"
	signalMetrics signal = "metrics"
	signalLogs    signal = "logs"
)

// exporter is OTEL_TRACES_EXPORTER and its kin. Of its values otlp and none are
// built in.
func (s signal) exporter() string {
	return strings.TrimSpace(os.Getenv("OTEL_" + strings.ToUpper(string(s)) + "_EXPORTER"))
}

// setting is a variable of the OTLP exporter: the signal's own or, without it,
// the one for all signals.
func (s signal) setting(name string) string {
	if value := os.Getenv("OTEL_EXPORTER_OTLP_" + strings.ToUpper(string(s)) + "_" + name); value != "" {
		return value
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_" + name)
}

// target says whether the signal is exported and where to. The URL is empty
// where the environment has one, which the exporters read by themselves.
//
// With a viewer and nothing in the environment there is no Collector to be
// expected.
func (s signal) target(cfg Config) (url string, ok bool) {
	switch {
	case s.exporter() == "none":
		return "", false
	case s.setting("ENDPOINT") != "":
		return "", true
	case cfg.ViewerURL != "":
		return "", false
	default:
		return defaultEndpoint + "/v1/" + string(s), true
	}
}

// warnOfSettings tells which wishes of the environment are not fulfilled.
func warnOfSettings(ctx context.Context, log *slog.Logger) {
	for _, s := range []signal{signalTraces, signalMetrics, signalLogs} {
		if protocol := s.setting("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
			log.WarnContext(ctx, "an OTLP protocol is asked for that is not built in: sending http/protobuf",
				"signal", s, "protocol", protocol)
		}
		if exporter := s.exporter(); exporter != "" && exporter != "none" && exporter != "otlp" {
			log.WarnContext(ctx, "an exporter is asked for that is not built in: sending otlp",
				"signal", s, "exporter", exporter)
		}
	}
}
