package integration_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/asynqtrace"
)

const (
	dashboardFile = "../deploy/grafana/dashboards/messaging.json"
	alertsFile    = "../deploy/prometheus/alerts.yml"
)

// RabbitMQ's own metrics on the dashboard and in the alerts.
// https://www.rabbitmq.com/docs/prometheus
var rabbitMQs = regexp.MustCompile(`^rabbitmq_global_messages_dead_lettered_(rejected|expired|maxlen|delivery_limit)_total$`)

// emitted makes the packages record all of their metrics, and returns the names that these
// have in Prometheus, and those of their labels.
func emitted(t *testing.T) (metrics, labels []string) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	ctx := t.Context()
	publisher := amqptrace.NewPublisher(brokenChannel{}, amqptrace.WithMeterProvider(provider))
	if err := publisher.PublishWithContext(ctx, "orders", "order.created", false, false, amqp.Publishing{}); err == nil {
		t.Fatal("a broken channel publishes")
	}
	consumer := amqptrace.NewConsumer("billing", amqptrace.WithMeterProvider(provider), amqptrace.WithQueueTime())
	_ = consumer.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(ctx,
		amqp.Delivery{Timestamp: time.Now().Add(-time.Minute), Acknowledger: acknowledger{}})
	worker := asynqtrace.Middleware(asynqtrace.WithMeterProvider(provider))(
		asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return amqp.ErrClosed }))
	_ = worker.ProcessTask(ctx, asynq.NewTask("email", nil))

	var collected metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &collected); err != nil {
		t.Fatal(err)
	}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			names, sets := prometheusNames(t, m)
			metrics = append(metrics, names...)
			for _, set := range sets {
				for _, kv := range set.ToSlice() {
					labels = append(labels, underscored(string(kv.Key)))
				}
			}
		}
	}
	// The labels that the Collector and Prometheus make from resource attributes.
	return metrics, append(labels, "le", "service_name", "service_namespace", "service_version")
}

// prometheusNames returns the names that the Collector's Prometheus exporter gives a
// metric: with its unit, unless that is a count of things, and a suffix.
// https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
func prometheusNames(t *testing.T, m metricdata.Metrics) (names []string, sets []attribute.Set) {
	t.Helper()
	name := underscored(m.Name)
	switch m.Unit {
	case "s":
		name += "_seconds"
	case "{message}":
	default:
		t.Fatalf("%s: what does Prometheus make of the unit %q?", m.Name, m.Unit)
	}
	switch data := m.Data.(type) {
	case metricdata.Histogram[float64]:
		for _, point := range data.DataPoints {
			sets = append(sets, point.Attributes)
		}
		return []string{name + "_bucket", name + "_count", name + "_sum"}, sets
	case metricdata.Sum[int64]:
		for _, point := range data.DataPoints {
			sets = append(sets, point.Attributes)
		}
		return []string{name + "_total"}, sets
	default:
		t.Fatalf("%s is a %T", m.Name, data)
		return nil, nil
	}
}

func underscored(name string) string { return strings.ReplaceAll(name, ".", "_") }

// A selector begins with a metric's name; labels are before a comparison and in by().
var (
	selector   = regexp.MustCompile(`\b([a-z][a-z0-9_]*)[{\[]`)
	comparison = regexp.MustCompile(`\b([a-z_]+)(?:=~|!~|!=|=)"`)
	grouping   = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// checkQueries expects each query to have a metric, and only metrics and labels that exist.
func checkQueries(t *testing.T, queries []string) (used []string) {
	t.Helper()
	metrics, labels := emitted(t)
	for _, query := range queries {
		found := selector.FindAllStringSubmatch(query, -1)
		if len(found) == 0 {
			t.Errorf("no metric in %s", query)
		}
		for _, m := range found {
			used = append(used, m[1])
			if !slices.Contains(metrics, m[1]) && !rabbitMQs.MatchString(m[1]) {
				t.Errorf("no package emits %s: %s", m[1], query)
			}
		}
		var by []string
		for _, m := range comparison.FindAllStringSubmatch(query, -1) {
			by = append(by, m[1])
		}
		for _, m := range grouping.FindAllStringSubmatch(query, -1) {
			by = append(by, strings.Split(m[1], ", ")...)
		}
		for _, label := range by {
			if !slices.Contains(labels, label) {
				t.Errorf("no metric has the label %q: %s", label, query)
			}
		}
	}
	return used
}

func TestDashboardShowsWhatThePackagesEmit(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title       string                     `json:"title"`
			Description string                     `json:"description"`
			GridPos     struct{ X, Y, W, H int }   `json:"gridPos"`
			Datasource  struct{ Type, UID string } `json:"datasource"`
			Targets     []struct{ Expr string }    `json:"targets"`
		} `json:"panels"`
	}
	data, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	sources, err := os.ReadFile("../deploy/grafana/provisioning/datasources/datasources.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 || panel.Title == "" || panel.Description == "" || panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("panel %q: %+v", panel.Title, panel)
		}
		if !strings.Contains(string(sources), "uid: "+panel.Datasource.UID+"\n") {
			t.Errorf("panel %q: there is no data source %q", panel.Title, panel.Datasource.UID)
		}
		for _, target := range panel.Targets {
			if panel.Datasource.Type == "prometheus" {
				queries = append(queries, target.Expr)
			}
		}
	}
	used := strings.Join(checkQueries(t, queries), " ")
	metrics, _ := emitted(t)
	for _, name := range metrics {
		base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_bucket"), "_count")
		if !strings.Contains(used, base) {
			t.Errorf("no panel shows %s", base)
		}
	}
}

func TestAlertsAreOnWhatThePackagesEmit(t *testing.T) {
	data, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	// An expression is an indented block after "expr: |".
	var queries []string
	for _, rule := range strings.Split(string(data), "- alert: ")[1:] {
		_, expr, ok := strings.Cut(rule, "expr: |\n")
		if !ok {
			t.Fatalf("no expression in %s", rule)
		}
		expr, _, _ = strings.Cut(expr, "\n        labels:")
		expr, _, _ = strings.Cut(expr, "\n        for:")
		queries = append(queries, expr)
	}
	if len(queries) < 5 {
		t.Errorf("%d rules", len(queries))
	}
	checkQueries(t, queries)
}

// acknowledger accepts every acknowledgement.
type acknowledger struct{ amqp.Acknowledger }

func (acknowledger) Ack(uint64, bool) error { return nil }

// brokenChannel fails every publish.
type brokenChannel struct{}

func (brokenChannel) PublishWithDeferredConfirmWithContext(
	context.Context, string, string, bool, bool, amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	return nil, amqp.ErrClosed
}
