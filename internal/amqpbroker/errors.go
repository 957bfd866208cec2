package amqpbroker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Reply codes (AMQP 0-9-1 section 1.3 of the reference).
const (
	contentTooLarge    = 311
	noRoute            = 312
	noConsumers        = 313
	connectionForced   = 320
	accessRefused      = 403
	notFound           = 404
	resourceLocked     = 405
	preconditionFailed = 406
	frameError         = 501
	syntaxError        = 502
	commandInvalid     = 503
	channelError       = 504
	unexpectedFrame    = 505
	resourceError      = 506
	notAllowed         = 530
	notImplemented     = 540
	internalError      = 541
)

var replyNames = map[uint16]string{
	contentTooLarge:    "CONTENT_TOO_LARGE",
	noRoute:            "NO_ROUTE",
	noConsumers:        "NO_CONSUMERS",
	connectionForced:   "CONNECTION_FORCED",
	accessRefused:      "ACCESS_REFUSED",
	notFound:           "NOT_FOUND",
	resourceLocked:     "RESOURCE_LOCKED",
	preconditionFailed: "PRECONDITION_FAILED",
	frameError:         "FRAME_ERROR",
	syntaxError:        "SYNTAX_ERROR",
	commandInvalid:     "COMMAND_INVALID",
	channelError:       "CHANNEL_ERROR",
	unexpectedFrame:    "UNEXPECTED_FRAME",
	resourceError:      "RESOURCE_ERROR",
	notAllowed:         "NOT_ALLOWED",
	notImplemented:     "NOT_IMPLEMENTED",
	internalError:      "INTERNAL_ERROR",
}

// exception is an AMQP error on its way to the client that caused it.
type exception struct {
	code    uint16
	text    string
	culprit methodID // 0 if no method is to blame
	nobody  bool     // no method is ever to blame
}

func (e *exception) Error() string { return e.replyText() }

// hard reports whether the exception closes the whole connection, not only the channel.
func (e *exception) hard() bool {
	switch e.code {
	case contentTooLarge, noRoute, noConsumers, accessRefused, notFound, resourceLocked, preconditionFailed:
		return false
	}
	return true
}

// replyText returns the text cut, as RabbitMQ cuts it, to what a short string holds.
func (e *exception) replyText() string {
	text := replyNames[e.code]
	if e.text != "" {
		text += " - " + e.text
	}
	if len(text) > 255 {
		text = text[:252] + "..."
	}
	return text
}

func fail(code uint16, format string, args ...any) error {
	return &exception{code: code, text: fmt.Sprintf(format, args...)}
}

// failBlameless is for errors that RabbitMQ reports without a class and method.
func failBlameless(code uint16, format string, args ...any) error {
	return &exception{code: code, text: fmt.Sprintf(format, args...), nobody: true}
}

// errCrashed drops a connection without closing it properly, as RabbitMQ does when its own
// code fails on input such as unknown methods.
var errCrashed = errors.New("amqpbroker: unknown method")

// blame sets the method that caused an exception, if it is not known yet.
func blame(err error, id methodID) error {
	var e *exception
	if errors.As(err, &e) && e.culprit == 0 && !e.nobody {
		e.culprit = id
	}
	return err
}

// How RabbitMQ names things in its reply texts.
func queueNamed(name string) string    { return fmt.Sprintf("queue '%s' in vhost '/'", name) }
func exchangeNamed(name string) string { return fmt.Sprintf("exchange '%s' in vhost '/'", name) }

func noQueue(name string) error    { return fail(notFound, "no %s", queueNamed(name)) }
func noExchange(name string) error { return fail(notFound, "no %s", exchangeNamed(name)) }

// snippet shows the start of a payload the way RabbitMQ does in its frame errors.
func snippet(payload []byte) string {
	which := "all"
	if len(payload) > 16 {
		which, payload = "first 16", payload[:16]
	}
	return fmt.Sprintf("%s octets = %s", which, octets(payload))
}

// octets writes b as Erlang writes a binary.
func octets(b []byte) string {
	list := make([]string, len(b))
	for i, o := range b {
		list[i] = strconv.FormatUint(uint64(o), 10)
	}
	return "<<" + strings.Join(list, ",") + ">>"
}
