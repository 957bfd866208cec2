package telemetry

import (
	"cmp"
	"context"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// newResource returns the service's resource. Later detectors win, so
// OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME come after the defaults.
func newResource(ctx context.Context, cfg Config) (*resource.Resource, error) {
	opts := []resource.Option{
		resource.WithSchemaURL(semconv.SchemaURL),
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			semconv.ServiceName(cfg.Service),
			// Without it, the metrics of two instances would be one series that jumps.
			semconv.ServiceInstanceID(uuid.NewString()),
			semconv.ServiceVersion(cmp.Or(cfg.Version, "dev")),
			semconv.DeploymentEnvironmentNameDevelopment,
		),
		resource.WithFromEnv(),
	}
	if cfg.KeepName {
		opts = append(opts, resource.WithAttributes(semconv.ServiceName(cfg.Service)))
	}
	return resource.New(ctx, opts...) //nolint:wrapcheck // Logged where it happens, never returned.
}
