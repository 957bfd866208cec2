package peek

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// kind is the type of a queue.
type kind string

const (
	classic kind = "classic"
	quorum  kind = "quorum"
	stream  kind = "stream"
)

// noSuchType is a type of queue that no release of RabbitMQ has.
const noSuchType = "mqtrace-peek"

// maxQuestions bounds how often RabbitMQ is asked: once for each argument that the queue
// was declared with, and RabbitMQ has about twenty.
const maxQuestions = 32

// kindOf determines the type of a queue without taking a message.
//
// AMQP 0-9-1 has no method that returns it, but RabbitMQ names it when it refuses to
// redeclare a queue with other arguments. The declaration here has a type that does not
// exist, so it is always refused: as different from the existing queue or, if that is gone,
// as invalid. It cannot create a queue. Arguments are compared in order, and the first
// difference hides later ones, so the declaration is repeated with each reported value
// until the type is named. This takes the configure permission on the queue.
// https://www.rabbitmq.com/docs/queues#property-equivalence
func kindOf(conn *amqp.Connection, queue string) (kind, error) {
	durable, autoDelete, args := true, false, amqp.Table{"x-queue-type": noSuchType}
	for range maxQuestions {
		difference, err := declare(conn, queue, durable, autoDelete, args)
		if err != nil {
			return "", err
		}
		switch name, current := difference.name, difference.current; name {
		case "x-queue-type":
			if current == nil { // a queue declared without a type, before RabbitMQ 4.0
				return classic, nil
			}
			k, _ := current.(string)
			return kind(k), nil
		case "durable":
			return classic, nil // all other queues are durable
		case "auto_delete":
			autoDelete = current == "true"
		default:
			if _, asked := args[name]; asked {
				return "", fmt.Errorf("%w: argument %s does not have the type that RabbitMQ reports", ErrKind, name)
			}
			args[name] = current
		}
	}
	return "", fmt.Errorf("%w: it has too many arguments", ErrKind)
}

// kindElsewhere gets the type from another source. why is the reason that RabbitMQ did not
// report it over AMQP.
func kindElsewhere(queueType func() (string, error), why error) (kind, error) {
	k, err := queueType()
	if err != nil {
		return "", fmt.Errorf("%w, and %w", why, err)
	}
	return kind(k), nil
}

// difference is an argument in which a declaration differs from the queue that is there.
type difference struct {
	name    string
	current any // nil for none
}

// declare declares an impossible queue and returns the difference that RabbitMQ reports.
func declare(conn *amqp.Connection, queue string, durable, autoDelete bool, args amqp.Table) (difference, error) {
	ch, err := conn.Channel()
	if err != nil {
		return difference{}, err
	}
	defer func() { _ = ch.Close() }()
	_, err = ch.QueueDeclare(queue, durable, autoDelete, false, false, args)
	var refused *amqp.Error
	switch {
	case err == nil:
		return difference{}, fmt.Errorf("%w: the broker accepts unknown queue types", ErrKind)
	case !errors.As(err, &refused):
		return difference{}, err
	case refused.Code == amqp.AccessRefused:
		return difference{}, fmt.Errorf("%w without the configure permission on it", ErrKind)
	case refused.Code != amqp.PreconditionFailed:
		return difference{}, err
	}
	d, ok := parseDifference(refused.Reason)
	if !ok && strings.HasSuffix(refused.Reason, "...") {
		return difference{}, fmt.Errorf("%w: names this long are cut off in RabbitMQ's answer", ErrKind)
	}
	if !ok {
		return difference{}, fmt.Errorf("%w: %w", ErrKind, err)
	}
	return d, nil
}

// parseDifference reads, for instance,
//
//	PRECONDITION_FAILED - inequivalent arg 'x-expires' for queue 'q' in vhost '/': received none but current is the value '60000' of type 'signedint'
//
// The names of queue and virtual host are in the middle and may contain anything. RabbitMQ
// cuts the text to 255 bytes.
func parseDifference(reason string) (d difference, ok bool) {
	_, rest, ok := strings.Cut(reason, "inequivalent arg '")
	if !ok {
		return d, false
	}
	if d.name, rest, ok = strings.Cut(rest, "' for "); !ok {
		return d, false
	}
	const before = " but current is "
	i := strings.LastIndex(rest, before)
	if i < 0 {
		return d, false
	}
	d.current, ok = parseCurrent(rest[i+len(before):])
	return d, ok
}

func parseCurrent(text string) (value any, ok bool) {
	if text == "none" {
		return nil, true
	}
	inner, typed := strings.CutPrefix(text, "the value ")
	if !typed {
		return quoted(text)
	}
	i := strings.LastIndex(inner, " of type ")
	if i < 0 {
		return nil, false
	}
	typeName, _ := quoted(inner[i+len(" of type "):])
	s, ok := quoted(inner[:i])
	if !ok {
		return nil, false
	}
	switch typeName {
	case "longstr":
		return s, true
	case "bool":
		return s == "true", true
	default:
		n, err := strconv.ParseInt(s.(string), 10, 64) //nolint:forcetypeassert // quoted returns a string
		return n, err == nil
	}
}

// quoted returns the string between quotes.
func quoted(text string) (any, bool) {
	if len(text) < 2 || text[0] != '\'' || text[len(text)-1] != '\'' {
		return "", false
	}
	return text[1 : len(text)-1], true
}

// isAtLeast reports whether the broker is RabbitMQ of the given release or a later one.
func isAtLeast(conn *amqp.Connection, major, minor int) bool {
	version, _ := conn.Properties["version"].(string)
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	x, errX := strconv.Atoi(parts[0])
	y, errY := strconv.Atoi(parts[1])
	return errX == nil && errY == nil && (x > major || x == major && y >= minor)
}
