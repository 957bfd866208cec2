package amqptrace

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// settlement is how a delivery was settled. Requeueing differs from giving the message up,
// whichever method did it. The constants are in order of severity.
type settlement uint8

const (
	acked settlement = iota + 1
	unsettled
	nackedRequeue
	rejectedRequeue
	nackedForGood
	rejectedForGood
)

func nacked(requeue bool) settlement {
	if requeue {
		return nackedRequeue
	}
	return nackedForGood
}

func rejected(requeue bool) settlement {
	if requeue {
		return rejectedRequeue
	}
	return rejectedForGood
}

// String returns the value of the settlement attribute.
func (s settlement) String() string {
	switch s {
	case acked:
		return "ack"
	case nackedForGood:
		return "nack"
	case rejectedForGood:
		return "reject"
	case nackedRequeue, rejectedRequeue:
		return "requeue"
	default:
		return ""
	}
}

// gaveUp reports whether the consumer gave the message up: it is dead-lettered or
// dropped. A requeued one will be tried again and is not a failure.
func (s settlement) gaveUp() bool { return s == nackedForGood || s == rejectedForGood }

func (s settlement) attribute() attribute.KeyValue { return settlementKey.String(s.String()) }

// settlementAttributes are the prepared arguments of SetAttributes. A message that is
// unsettled when its handler returns may be settled later and elsewhere, so it has no
// attribute.
var settlementAttributes = func() (all [rejectedForGood + 1][]attribute.KeyValue) {
	for s := range all {
		if settlement(s) != unsettled {
			all[s] = []attribute.KeyValue{settlement(s).attribute()}
		}
	}
	return all
}()

// forward settles a delivery with the host.
func (s settlement) forward(host amqp.Acknowledger, tag uint64, multiple bool) error {
	switch s {
	case nackedRequeue, nackedForGood:
		return host.Nack(tag, multiple, s == nackedRequeue)
	case rejectedRequeue, rejectedForGood:
		return host.Reject(tag, s == rejectedRequeue)
	default:
		return host.Ack(tag, multiple)
	}
}

// settleOperations creates the spans of settlements: of all with WithSettleSpans, else only
// if the process span has ended and cannot record them.
type settleOperations struct {
	ack, nack, reject *messaging.Operation
}

func newSettleOperations(i *messaging.Instrumentation) settleOperations {
	return settleOperations{
		ack:    i.Operation("ack", messaging.Settle),
		nack:   i.Operation("nack", messaging.Settle),
		reject: i.Operation("reject", messaging.Settle),
	}
}

func (o *settleOperations) of(s settlement) *messaging.Operation {
	switch s {
	case nackedForGood, nackedRequeue:
		return o.nack
	case rejectedForGood, rejectedRequeue:
		return o.reject
	default:
		return o.ack
	}
}

// settling is the span of one settlement.
type settling struct {
	process   *process
	ctx       context.Context
	span      trace.Span
	operation *messaging.Operation
	start     time.Time
	late      bool // the process span had ended
}

// start starts the span of a settlement: a child of the process span, linked to the
// creation contexts of the messages that it settles.
func (o *settleOperations) start(by *acknowledger, s settlement, links []trace.Link) settling {
	p, op := by.process, o.of(s)
	c, ctx := p.consumer, p.ctx.Context
	own := append(appendTag(c.appendDestination(nil, &by.names), by.tag), s.attribute())
	own = appendIDs(own, by.messageID, by.correlationID)
	st := settling{process: p, operation: op, start: op.Now(ctx)}
	own = append(own, c.place().span...)
	st.ctx, st.span = op.Start(ctx, messaging.SpanStart{
		Name: op.SpanName(c.destination.Name), Shared: op.Attributes, Links: links,
	}, own...)
	return st
}

// isLate records whether the process span had ended, and if so links the span to it.
func (s *settling) isLate(late bool) {
	if s.late = late; late {
		s.span.AddLink(trace.Link{SpanContext: s.process.span.SpanContext()})
	}
}

// end ends the span. If a message was given up after its process span had ended, this span
// has the error. returned is false if the host panicked.
func (s *settling) end(how settlement, err error, returned bool) {
	failure := ""
	switch {
	case !returned:
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(s.span)
		s.operation.Exception(s.ctx, nil, "")
	case err != nil:
		failure = fail(s.ctx, s.operation, s.span, err)
	case how.gaveUp() && s.late:
		failure = errorTypeRejected
		messaging.Fail(s.span, failure, "message was given up: "+how.String())
	}
	point := s.process.point
	point.ErrorType = failure
	s.operation.Done(s.ctx, s.start, point, 0)
	s.span.End()
}
