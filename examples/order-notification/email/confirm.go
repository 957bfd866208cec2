package email

import (
	"context"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

const (
	orderIDKey = attribute.Key("order.id")
	// tenantKey is the name of the baggage member and of the attribute it is copied to.
	// Baggage is not on spans unless it is copied.
	tenantKey = attribute.Key("tenant.id")
)

// confirmOrder is one attempt at sending a confirmation.
func (w *Worker) confirmOrder(ctx context.Context, task *asynq.Task) error {
	payload, err := tasks.ParseOrderConfirmation(task)
	if err != nil {
		w.log.ErrorContext(ctx, "email task cannot be read", "error", err)
		return err
	}
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(orderIDKey.String(payload.OrderID))
	tenant := baggage.FromContext(ctx).Member(string(tenantKey)).Value()
	if tenant != "" {
		span.SetAttributes(tenantKey.String(tenant))
	}
	retried, _ := asynq.GetRetryCount(ctx)
	log := w.log.With("order_id", payload.OrderID, "tenant", tenant, "retry", retried)
	err = telemetry.InSpan(ctx, w.tracer, "send email", func(ctx context.Context) error {
		return send(ctx, payload)
	}, orderIDKey.String(payload.OrderID))
	maxRetry, _ := asynq.GetMaxRetry(ctx)
	switch {
	case err == nil:
		log.InfoContext(ctx, "email sent")
	case retried < maxRetry:
		log.WarnContext(ctx, "email not sent, will be retried", "error", err)
	default:
		log.ErrorContext(ctx, "email given up", "error", err)
	}
	return err
}
