package payment

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// Tokens that the stand-in treats in a way of their own. Any other is good.
const (
	TokenDeclined    = "tok_declined"
	TokenUnavailable = "tok_unavailable"
	TokenPanic       = "tok_panic"
)

// failure is a payment that was not authorized.
type failure struct{ kind, text string }

var (
	errDeclined    = &failure{"card_declined", "card declined"}
	errUnavailable = &failure{"provider_unavailable", "card network does not answer"}
)

func (f *failure) Error() string     { return f.text }
func (f *failure) ErrorType() string { return f.kind }
func (f *failure) declined() bool    { return f == errDeclined }

func (s *Service) authorize(ctx context.Context, r Request) *failure {
	err := telemetry.InSpan(ctx, s.tracer, "authorize card", func(context.Context) error {
		switch r.Token {
		case TokenDeclined:
			return errDeclined
		case TokenUnavailable:
			return errUnavailable
		case TokenPanic:
			_ = s.fees[r.Amount]
		}
		return nil
	}, attribute.String("order.id", r.OrderID), attribute.Int("payment.amount", r.Amount))
	failed, _ := errors.AsType[*failure](err)
	return failed
}
