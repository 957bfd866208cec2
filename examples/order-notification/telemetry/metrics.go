package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// metricInterval is how often metrics are sent, and so how old the data on a dashboard may
// be. OTEL_METRIC_EXPORT_INTERVAL wins.
const metricInterval = 15 * time.Second

// newMeterProvider returns nil if no metrics are to be sent.
//
// Measurements made within a sampled span have its ids as exemplars: that is the SDK's
// default, OTEL_METRICS_EXEMPLAR_FILTER=trace_based.
func newMeterProvider(
	ctx context.Context, cfg Config, res *resource.Resource, log *slog.Logger,
) (*sdkmetric.MeterProvider, error) {
	url, ok := signalMetrics.target(cfg)
	if !ok {
		return nil, nil //nolint:nilnil // Told apart by the only caller.
	}
	var opts []otlpmetrichttp.Option
	if url != "" {
		opts = append(opts, otlpmetrichttp.WithEndpointURL(url))
	}
	exporter, err := otlpmetrichttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("create the OTLP exporter of metrics: %w", err)
	}
	patient := &metricExporter{exporter, &patience{log: log, what: "metrics"}}
	return sdkmetric.NewMeterProvider(
		sdkmetric.WithResource(res),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(patient, readerOptions()...)),
	), nil
}

func readerOptions() []sdkmetric.PeriodicReaderOption {
	if os.Getenv("OTEL_METRIC_EXPORT_INTERVAL") != "" {
		return nil
	}
	return []sdkmetric.PeriodicReaderOption{sdkmetric.WithInterval(metricInterval)}
}

// metricExporter tolerates the loss of collections. Counters and histograms are cumulative,
// so the next collection makes up for it.
type metricExporter struct {
	sdkmetric.Exporter

	patience *patience
}

func (e *metricExporter) Export(ctx context.Context, metrics *metricdata.ResourceMetrics) error {
	if len(metrics.ScopeMetrics) == 0 {
		return nil // Nothing has been measured yet.
	}
	e.patience.saw(ctx, e.Exporter.Export(ctx, metrics), 1)
	return nil
}

var lent sync.Once

// lendToSDK makes meters the global provider, the only one that the SDK uses, if the SDK is
// to count the spans that it exports and loses. The first service of a process sets its
// own, for all. https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/
func lendToSDK(meters *sdkmetric.MeterProvider) {
	if strings.EqualFold(os.Getenv("OTEL_GO_X_OBSERVABILITY"), "true") {
		lent.Do(func() { otel.SetMeterProvider(meters) })
	}
}
