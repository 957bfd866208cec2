package telemetry

import (
	"context"
	"os"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

const (
	samplerVariable    = "OTEL_TRACES_SAMPLER"
	samplerArgVariable = "OTEL_TRACES_SAMPLER_ARG"

	// productionRatio is the default share of new traces kept in production.
	productionRatio = 0.1
)

// newSampler returns nil if OTEL_TRACES_SAMPLER is set: the SDK reads that variable by
// itself, and a sampler given in code would silently win over it.
//
// The decision is made once, where the trace starts, and all services downstream follow it
// (ParentBased): a service that decided for itself would leave gaps in other services'
// traces.
func newSampler(res *resource.Resource) sdktrace.Sampler {
	if strings.TrimSpace(os.Getenv(samplerVariable)) != "" {
		return nil
	}
	return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(defaultRatio(res)))
}

func defaultRatio(res *resource.Resource) float64 {
	ratio := 1.0
	if env, ok := res.Set().Value(semconv.DeploymentEnvironmentNameKey); ok && env.AsString() == "production" {
		ratio = productionRatio
	}
	arg := strings.TrimSpace(os.Getenv(samplerArgVariable))
	if given, err := strconv.ParseFloat(arg, 64); err == nil && given >= 0 && given <= 1 {
		ratio = given
	}
	return ratio
}

// KeepsEverything reports whether the environment lets every new trace be recorded.
func KeepsEverything(ctx context.Context) bool {
	if sdkDisabled() {
		return false
	}
	res, _ := newResource(ctx, Config{}) // Setup reports what is wrong with it.
	switch strings.ToLower(strings.TrimSpace(os.Getenv(samplerVariable))) {
	case "":
		return defaultRatio(res) >= 1
	case "always_off", "parentbased_always_off":
		return false
	case "traceidratio", "parentbased_traceidratio":
		ratio, err := strconv.ParseFloat(strings.TrimSpace(os.Getenv(samplerArgVariable)), 64)
		return err != nil || ratio >= 1 || ratio < 0 // As the SDK reads it.
	default:
		return true
	}
}
