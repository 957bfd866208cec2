package telemetry

import (
	"fmt"
	"os"
	"strings"
)

const (
	// defaultEndpoint is where a Collector on the same machine listens. The exporters'
	// own default is the same with TLS.
	defaultEndpoint = "http://localhost:4318"
	// protocol is the only one built in: gRPC would make the first build slower.
	protocol = "http/protobuf"
)

// signal is one of OpenTelemetry's three, as spelled in the paths of OTLP.
type signal string

const (
	signalTraces  signal = "traces"
	signalMetrics signal = "metrics"
	signalLogs    signal = "logs"
)

// exporter returns the signal's exporter variable, such as OTEL_TRACES_EXPORTER, as name
// and value.
func (s signal) exporter() (variable, value string) {
	variable = "OTEL_" + strings.ToUpper(string(s)) + "_EXPORTER"
	return variable, strings.TrimSpace(os.Getenv(variable))
}

// setting returns a variable of the OTLP exporter, as name and value: the signal's own
// or, without it, the one for all signals.
func (s signal) setting(name string) (variable, value string) {
	variable = "OTEL_EXPORTER_OTLP_" + strings.ToUpper(string(s)) + "_" + name
	if value = os.Getenv(variable); value != "" {
		return variable, value
	}
	variable = "OTEL_EXPORTER_OTLP_" + name
	return variable, os.Getenv(variable)
}

// check returns an error if the environment asks for an exporter or a protocol that is
// not built in.
func (s signal) check() error {
	variable, exporter := s.exporter()
	switch exporter {
	case "none":
		return nil
	case "", "otlp":
	default:
		return fmt.Errorf("%s=%s is not built in: use otlp or none, or set up the SDK with autoexport, as the README shows",
			variable, exporter)
	}
	if variable, value := s.setting("PROTOCOL"); value != "" && value != protocol {
		return fmt.Errorf("%s=%s is not built in: use %s, which a Collector receives on port 4318, "+
			"or set up the SDK with autoexport, as the README shows", variable, value, protocol)
	}
	return nil
}

// checkSettings returns the first error of the signals.
func checkSettings() error {
	for _, s := range []signal{signalTraces, signalMetrics, signalLogs} {
		if err := s.check(); err != nil {
			return err
		}
	}
	return nil
}

// target reports whether the signal is exported, and where to. The URL is empty if the
// environment has one, which the exporters read themselves.
//
// With a viewer and nothing in the environment, assume that there is no Collector.
func (s signal) target(cfg Config) (url string, ok bool) {
	_, exporter := s.exporter()
	_, endpoint := s.setting("ENDPOINT")
	switch {
	case exporter == "none":
		return "", false
	case endpoint != "":
		return "", true
	case cfg.ViewerURL != "":
		return "", false
	default:
		return defaultEndpoint + "/v1/" + string(s), true
	}
}
