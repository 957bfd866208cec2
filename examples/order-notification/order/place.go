package order

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

const (
	orderIDKey      = attribute.Key("order.id")
	orderTotalKey   = attribute.Key("order.total")
	orderItemsKey   = attribute.Key("order.items")
	orderOutcomeKey = attribute.Key("order.outcome")
	inStockKey      = attribute.Key("inventory.in_stock")
	tenantKey       = attribute.Key("tenant.id")
)

// place carries out an order. It returns an error for every outcome that is a failure, and
// has logged it.
func (s *Service) place(ctx context.Context, o Order) (Outcome, error) {
	var outcome Outcome
	err := telemetry.InSpan(ctx, s.tracer, "place order", func(ctx context.Context) error {
		var err error
		outcome, err = s.carryOut(ctx, o)
		trace.SpanFromContext(ctx).SetAttributes(orderOutcomeKey.String(string(outcome)))
		return err
	},
		orderIDKey.String(o.ID),
		orderTotalKey.Int(o.Total),
		orderItemsKey.Int(len(o.Items)),
		tenantKey.String(o.Tenant),
	)
	return outcome, err
}

func (s *Service) carryOut(ctx context.Context, o Order) (Outcome, error) {
	log := s.log.With("order_id", o.ID)
	if !s.checkInventory(ctx, o) {
		log.InfoContext(ctx, "order turned down: out of stock")
		return OutOfStock, nil
	}
	if err := s.pay(ctx, o); err != nil {
		s.inventory.release(o.Items)
		log.ErrorContext(ctx, "payment not made", "error", err)
		var failed *paymentError
		if errors.As(err, &failed) {
			return failed.outcome, err
		}
		return PaymentFailed, err
	}
	if err := s.publisher.publish(ctx, o); err != nil {
		// The payment is taken and the stock reserved: somebody has to look into it.
		log.ErrorContext(ctx, "order paid but not announced", "error", err)
		return NotPublished, err
	}
	log.InfoContext(ctx, "order accepted", "total", o.Total)
	return Accepted, nil
}

func (s *Service) checkInventory(ctx context.Context, o Order) bool {
	_, span := s.tracer.Start(ctx, "check inventory", trace.WithAttributes(orderIDKey.String(o.ID)))
	defer func() { span.End() }()
	inStock := s.inventory.reserve(o.Items)
	span.SetAttributes(inStockKey.Bool(inStock))
	return inStock
}

func (s *Service) pay(ctx context.Context, o Order) error {
	return telemetry.InSpan(ctx, s.tracer, "charge payment", func(ctx context.Context) error {
		return s.payments.charge(ctx, o)
	}, orderIDKey.String(o.ID), orderTotalKey.Int(o.Total))
}
