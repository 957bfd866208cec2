package email

import (
	"context"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
)

// flakyRecipient is a mailbox that is busy on the first attempt.
const flakyRecipient = "flaky@"

// sendTime is how long the stand-in takes to send an email.
const sendTime = 20 * time.Millisecond

type mailError struct{ kind, text string }

var errMailboxBusy = &mailError{"mailbox_busy", "mail server answers 450: mailbox busy, try again later"}

func (e *mailError) Error() string     { return e.text }
func (e *mailError) ErrorType() string { return e.kind }

// send is a stand-in for a mail server.
func send(ctx context.Context, payload tasks.OrderConfirmation) error {
	select {
	case <-time.After(sendTime):
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // asynq and the span expect it as it is.
	}
	retried, _ := asynq.GetRetryCount(ctx)
	if retried == 0 && strings.HasPrefix(payload.Email, flakyRecipient) {
		return errMailboxBusy
	}
	return nil
}
