package telemetry_test

import (
	"context"
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	telemetry "github.com/mqtrace/mqtrace/integration/snippets"
)

// memory keeps records.
type memory struct {
	sdklog.Processor

	records []sdklog.Record
}

func (m *memory) OnEmit(_ context.Context, r *sdklog.Record) error {
	m.records = append(m.records, r.Clone())
	return nil
}

func (*memory) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func TestRecord(t *testing.T) {
	kept := new(memory)
	record := telemetry.Record(sdklog.NewLoggerProvider(sdklog.WithProcessor(kept)))
	handle := amqptrace.NewConsumer("billing", amqptrace.WithExceptions(record),
		amqptrace.WithTracerProvider(sdktrace.NewTracerProvider())).Handler(
		func(context.Context, amqp.Delivery) error { return errors.New("the bank does not answer") })
	if err := handle(t.Context(), amqp.Delivery{}); err == nil {
		t.Error("the error is lost")
	}
	if len(kept.records) != 1 {
		t.Fatalf("%d records", len(kept.records))
	}
	r := kept.records[0]
	if r.EventName() != "messaging.process.exception" || r.Severity() != log.SeverityError || !r.TraceID().IsValid() {
		t.Errorf("%s, severity %v, trace %v", r.EventName(), r.Severity(), r.TraceID())
	}
	got := map[attribute.Key]string{}
	r.WalkAttributes(func(kv attribute.KeyValue) bool {
		got[kv.Key] = kv.Value.AsString()
		return true
	})
	if len(got) != 2 || got["exception.type"] != "*errors.errorString" || got["exception.message"] != "the bank does not answer" {
		t.Errorf("attributes %v", got)
	}
}
