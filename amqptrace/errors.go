package amqptrace

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Outcomes of a confirmed publish, for errors.Is.
var (
	// ErrNacked means that the broker refused the message (basic.nack), as a full
	// queue with overflow reject-publish does. It may be sent again.
	ErrNacked = errors.New("amqptrace: message was refused by the broker")

	// ErrReturned means that the message was mandatory and no queue took it
	// (basic.return). The error is a [ReturnedError].
	ErrReturned = errors.New("amqptrace: message was returned as unroutable")

	// ErrClosed means that the channel was closed, or closed and recovered, before the
	// broker answered, or before anything waited for its refusal. The broker may or may not
	// have the message. errors.Is also matches it with amqp.ErrClosed, and if the broker
	// gave a reason for closing the channel, errors.As finds it as an *amqp.Error.
	ErrClosed = fmt.Errorf("amqptrace: channel was closed before the message was confirmed: %w", amqp.ErrClosed)

	// ErrNotConfirming means that the message was sent on a channel that is not in confirm
	// mode, so its outcome will never be known. Do not send it again for this reason: call
	// the channel's Confirm before the first publish.
	ErrNotConfirming = errors.New("amqptrace: message was sent, but the channel is not in confirm mode")
)

// ReturnedError is the error of a mandatory message that was returned. It wraps
// [ErrReturned] and an *amqp.Error with the reply code and text.
type ReturnedError struct {
	// Return is the message as the broker returned it, without its body.
	Return amqp.Return
}

// Error includes the reply code and text, which contain neither the message nor its
// destination.
func (e *ReturnedError) Error() string {
	return fmt.Sprintf("%v: %d %s", ErrReturned, e.Return.ReplyCode, e.Return.ReplyText)
}

// Unwrap returns ErrReturned and an *amqp.Error.
func (e *ReturnedError) Unwrap() []error {
	return []error{ErrReturned, &amqp.Error{
		Code: int(e.Return.ReplyCode), Reason: e.Return.ReplyText, Server: true,
	}}
}

// closedError is the error of a closed channel with the reason for closing it. The reason
// is an *amqp.Error, for errors.As.
type closedError struct {
	error

	reason *amqp.Error
}

// withReason returns err with a reason, which may be nil.
func withReason(err error, reason *amqp.Error) error {
	if reason == nil {
		return err
	}
	return &closedError{err, reason}
}

// Error returns the text of the error, then the reason.
func (e *closedError) Error() string { return e.error.Error() + ": " + e.reason.Error() }

// Unwrap returns the reason first if it is the broker's, so that errors.As finds it before
// the code of amqp.ErrClosed. amqp091-go itself reports connection failures, with codes
// that say less.
func (e *closedError) Unwrap() []error {
	if e.reason.Server {
		return []error{e.reason, e.error}
	}
	return []error{e.error, e.reason}
}

// errUnknown is the ErrClosed of a message that was sent while the channel was being
// recovered.
var errUnknown = fmt.Errorf("%w, and recovered: its confirmations may belong to other messages", ErrClosed)

// replyCodes are AMQP 0-9-1's names for the codes of channel and connection errors, as
// RabbitMQ writes them in its log. The texts of these errors name queues and exchanges, so
// they cannot serve as a type. https://www.rabbitmq.com/amqp-0-9-1-reference#constants
var replyCodes = map[int]string{
	amqp.ContentTooLarge:    "CONTENT_TOO_LARGE",
	amqp.NoRoute:            "NO_ROUTE",
	amqp.NoConsumers:        "NO_CONSUMERS",
	amqp.ConnectionForced:   "CONNECTION_FORCED",
	amqp.InvalidPath:        "INVALID_PATH",
	amqp.AccessRefused:      "ACCESS_REFUSED",
	amqp.NotFound:           "NOT_FOUND",
	amqp.ResourceLocked:     "RESOURCE_LOCKED",
	amqp.PreconditionFailed: "PRECONDITION_FAILED",
	amqp.FrameError:         "FRAME_ERROR",
	amqp.SyntaxError:        "SYNTAX_ERROR",
	amqp.CommandInvalid:     "COMMAND_INVALID",
	amqp.ChannelError:       "CHANNEL_ERROR",
	amqp.UnexpectedFrame:    "UNEXPECTED_FRAME",
	amqp.ResourceError:      "RESOURCE_ERROR",
	amqp.NotAllowed:         "NOT_ALLOWED",
	amqp.NotImplemented:     "NOT_IMPLEMENTED",
	amqp.InternalError:      "INTERNAL_ERROR",
}

// errorType returns the error type of a span or metric point: the name of the reply code
// for an AMQP error, else the Go type.
func errorType(err error) string { return messaging.ErrorType(err, knownType) }

func knownType(err error) string {
	switch {
	case errors.Is(err, ErrNacked):
		return "nacked"
	case errors.Is(err, ErrNotConfirming):
		return "not_confirming"
	}
	var amqpErr *amqp.Error
	if !errors.As(err, &amqpErr) || amqpErr == nil {
		return ""
	}
	if name, ok := replyCodes[amqpErr.Code]; ok {
		return name
	}
	return "AMQP_" + strconv.Itoa(amqpErr.Code)
}

// fail marks the span of an operation as failed by err and returns the error type.
func fail(ctx context.Context, o *messaging.Operation, span trace.Span, err error) string {
	failure, text := errorType(err), withoutUser(messaging.ErrorText(err))
	messaging.Fail(span, failure, text)
	o.Exception(ctx, err, text)
	return failure
}

// withoutUser removes user names from RabbitMQ's texts, since credentials do not belong in
// a trace. A name may contain any character, so everything up to the last quote is removed.
func withoutUser(text string) string {
	for _, before := range [...]string{" for user '", " user_id property set to '"} {
		head, tail, found := strings.Cut(text, before)
		if !found {
			continue
		}
		text = head
		if i := strings.LastIndexByte(tail, '\''); i >= 0 {
			text += tail[i+1:]
		}
	}
	return text
}
