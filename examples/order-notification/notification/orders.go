package notification

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
)

const (
	enqueueTimeout = 5 * time.Second
	// requeuePause keeps a message that cannot be processed at the moment from being
	// redelivered in a tight loop.
	requeuePause = time.Second
)

type handleFunc func(ctx context.Context, d amqp.Delivery) error

// consumeOrders returns when the deliveries end. Stopping must not interrupt a message in
// progress, so the messages' contexts are not canceled with ctx.
func (s *Service) consumeOrders(ctx context.Context) {
	stopping := ctx.Done()
	for ctx, d := range s.process.Deliveries(context.WithoutCancel(ctx), s.orders.deliveries) {
		err := s.notify(ctx, d.Body)
		var malformed *events.MalformedError
		switch {
		case err == nil:
			err = d.Ack(false)
		case errors.As(err, &malformed):
			// It can never be parsed, so it is dead-lettered.
			s.log.ErrorContext(ctx, "order event rejected", "error", err)
			amqptrace.Fail(ctx, err)
			err = d.Reject(false)
		default:
			s.log.WarnContext(ctx, "order event requeued", "error", err)
			pause(stopping)
			err = d.Nack(false, true)
		}
		if err != nil {
			s.log.WarnContext(ctx, "order event not settled, will be redelivered", "error", err)
		}
	}
}

// notify enqueues the email for an order event.
func (s *Service) notify(ctx context.Context, body []byte) error {
	event, err := events.ParseOrderCreated(body)
	if err != nil {
		return err
	}
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("order.id", event.OrderID))
	task, err := tasks.NewOrderConfirmation(s.queue, tasks.OrderConfirmation(event))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	_, err = s.tasks.EnqueueContext(ctx, task)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		s.log.InfoContext(ctx, "email already queued", "order_id", event.OrderID)
		return nil
	}
	if err == nil {
		s.log.InfoContext(ctx, "email queued", "order_id", event.OrderID)
	}
	return err //nolint:wrapcheck // Logged by the only caller, which says what it was about.
}

// pause waits for a moment, or until the service stops.
func pause(stopping <-chan struct{}) {
	select {
	case <-time.After(requeuePause):
	case <-stopping:
	}
}
