package payment

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// Tokens that the stand-in treats specially. Any other is accepted.
const (
	TokenDeclined    = "tok_declined"
	TokenUnavailable = "tok_unavailable"
	TokenPanic       = "tok_panic"
	TokenSlow        = "tok_slow"
)

// slowTime is how long the card network takes for TokenSlow: more than the two seconds from
// which deploy/collector keeps a trace for its duration, and less than the order service's
// timeout.
const slowTime = 2500 * time.Millisecond

// failure is the error for a payment that was not authorized.
type failure struct{ kind, text string }

var (
	errDeclined    = &failure{"card_declined", "card declined"}
	errUnavailable = &failure{"provider_unavailable", "card network does not answer"}
)

func (f *failure) Error() string     { return f.text }
func (f *failure) ErrorType() string { return f.kind }
func (f *failure) declined() bool    { return f == errDeclined }

func (s *Service) authorize(ctx context.Context, r Request) *failure {
	err := telemetry.InSpan(ctx, s.tracer, "authorize card", func(ctx context.Context) error {
		switch r.Token {
		case TokenDeclined:
			return errDeclined
		case TokenUnavailable:
			return errUnavailable
		case TokenPanic:
			_ = s.fees[r.Amount]
		case TokenSlow:
			return takeTime(ctx, slowTime)
		}
		return nil
	}, attribute.String("order.id", r.OrderID), attribute.Int("payment.amount", r.Amount))
	var failed *failure
	_ = errors.As(err, &failed) // nil if err is not a failure
	return failed
}

// takeTime returns early if the caller hangs up: nothing is waiting for the answer then.
func takeTime(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errUnavailable
	}
}
