package auto

import (
	"os"
	"testing"
)

func TestSetEndpoint(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	tests := map[string]struct {
		env   map[string]string
		want  string
		after string
	}{
		"none":                  {nil, "http://localhost:4318", ""},
		"gRPC":                  {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", ""},
		"one":                   {map[string]string{endpoint: "http://collector:4318"}, "http://collector:4318", "http://collector:4318"},
		"of one signal":         {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318"}, "", ""},
		"security is mentioned": {map[string]string{"OTEL_EXPORTER_OTLP_INSECURE": "false"}, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, name := range []string{
				endpoint, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
				"OTEL_EXPORTER_OTLP_INSECURE", "OTEL_EXPORTER_OTLP_PROTOCOL",
			} {
				t.Setenv(name, test.env[name])
			}
			restore := setEndpoint()
			if got := os.Getenv(endpoint); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			restore()
			if got := os.Getenv(endpoint); got != test.after {
				t.Errorf("%q afterwards, want %q", got, test.after)
			}
		})
	}
}
