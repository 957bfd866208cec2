package amqptrace

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Channel is the part of an *amqp.Channel that a [Publisher] needs. A pool or a wrapper of
// channels can stand in for one.
//
// To determine the outcome of a confirmed message, [Publisher.PublishConfirmed] and
// [Publisher.PublishDeferred] also use the channel's NotifyReturn, NotifyClose,
// NotifyStateChange and IsClosed, as far as it has them. Without NotifyReturn, a returned
// message cannot be detected; without NotifyClose and IsClosed, a closed channel looks like
// a nack; without NotifyStateChange, messages are not held while amqp091-go recovers the
// channel. All publishers on one *amqp.Channel share these listeners. On a channel of
// another type, each publisher has listeners and a goroutine of its own, so make only one.
// It registers them again if they were closed and the channel is open again, as with a
// wrapper that reconnects.
type Channel interface {
	PublishWithDeferredConfirmWithContext(
		ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
	) (*amqp.DeferredConfirmation, error)
}

var _ Channel = (*amqp.Channel)(nil)

// Publisher publishes messages that carry their trace context. It is safe for concurrent
// use if its channel is, as an *amqp.Channel is. Create one with [NewPublisher].
type Publisher struct {
	config

	channel         Channel
	instrumentation *messaging.Instrumentation
	publish         *messaging.Operation
	routes          messaging.Cache[[2]string, *route] // by exchange and routing key

	state atomic.Pointer[channelState]
}

// NewPublisher returns a publisher on a channel. The publisher belongs to that channel and
// is cheap: make one where you open a channel. If channel is nil, only
// [Publisher.StartPublish] may be used.
func NewPublisher(channel Channel, opts ...Option) *Publisher {
	c := newConfig(opts)
	i := c.instrumentation()
	p := &Publisher{
		config:          c,
		channel:         channel,
		instrumentation: i,
		publish:         i.Operation("publish", messaging.Send),
	}
	p.state.Store(stateOf(channel))
	return p
}

// current returns the state of the publisher's channel. A wrapper that reconnects by itself
// has another channel once it is open again, and what was heard of the first one does not
// apply to that.
func (p *Publisher) current() *channelState {
	s := p.state.Load()
	if _, ok := p.channel.(*amqp.Channel); ok {
		return s
	}
	if s.listening.Load() {
		s.readAll()
	}
	if !s.over.Load() || isClosed(p.channel) {
		return s
	}
	p.state.CompareAndSwap(s, newChannelState())
	return p.state.Load()
}

// PublishWithContext is amqp.Channel's PublishWithContext with a PRODUCER span around it.
// The span ends when the message has been written to the connection; only a confirmation
// reports whether the broker has taken it.
//
// The span's context goes into a copy of msg.Headers. The error is the channel's
// own.
func (p *Publisher) PublishWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) error {
	_, err := p.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
	return err
}

// PublishWithDeferredConfirmWithContext is amqp.Channel's method with a PRODUCER span
// around it. The span ends when the message has been written to the connection and does not
// cover the confirmation, which is the channel's own, or nil if the channel is not in
// confirm mode.
//
// The span's context goes into a copy of msg.Headers. The error is the channel's own. On a
// channel that is also used with [Publisher.PublishConfirmed] or
// [Publisher.PublishDeferred], this method and PublishWithContext hold messages while
// amqp091-go recovers the channel, as those do; then the error may also be [ErrClosed] or
// the context's, and the message was not sent.
func (p *Publisher) PublishWithDeferredConfirmWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	if ctx == nil {
		ctx = context.Background() // the host does not look at it
	}
	var s sending
	ctx = p.start(ctx, exchange, key, &msg, &s)
	var err error
	returned := false
	defer func() { s.end(err, returned) }()
	at, state := moment{}, p.current()
	watched := state.listening.Load() // others wait for confirmations on the channel
	if watched {
		if at, err = state.await(ctx, p.channel); err != nil {
			returned = true
			return nil, err
		}
	}
	p.inject(ctx, &s, &msg)
	confirmation, err := p.channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
	returned = true
	if watched && confirmation != nil {
		state.mayBeOfAnother(at, confirmation, p.channel)
	}
	return confirmation, err
}

// sending is one publish in progress.
type sending struct {
	ctx        context.Context
	publish    *messaging.Operation
	span       trace.Span      // nil if the message is not traced
	caller     context.Context // of the publish
	start      time.Time
	point      messaging.Point
	directives messaging.Directives
	untimed    bool // the span ended later than the publish
}

// start starts the span of the publish s.
func (p *Publisher) start(
	ctx context.Context, exchange, key string, msg *amqp.Publishing, s *sending,
) context.Context {
	s.publish, s.directives = p.publish, messaging.DirectivesOf(ctx)
	if s.directives.WithoutTracing {
		return ctx
	}
	var of []attribute.KeyValue
	if p.filter != nil || p.attributesOf != nil {
		m := Message{
			Exchange: exchange, RoutingKey: key, Headers: msg.Headers, MessageID: msg.MessageId,
			CorrelationID: msg.CorrelationId, Type: msg.Type, AppID: msg.AppId, BodySize: len(msg.Body),
		}
		if !messaging.Filter(ScopeName, p.filter, m) {
			return ctx
		}
		of = p.messageAttributes(m)
	}
	s.start, s.caller = p.publish.Now(ctx), ctx
	r, where := p.route(exchange, key), p.place()
	s.point = messaging.Point{Destination: r.destination, Server: where.server}

	var room [3]attribute.KeyValue
	own := appendIDs(room[:0], msg.MessageId, msg.CorrelationId)
	if p.bodySize {
		own = append(own, messaging.BodySize(len(msg.Body)))
	}
	own = append(append(own, where.span...), of...)
	started := messaging.SpanStart{
		Name: r.spanName, Shared: r.attributes, NotCarried: s.directives.WithoutPropagation,
	}
	s.ctx, s.span = p.publish.StartProducer(ctx, started, own...)
	return s.ctx
}

// delayHeader is how long the exchange delays a message, in milliseconds.
// https://github.com/rabbitmq/rabbitmq-delayed-message-exchange
const delayHeader = "x-delay"

// inject replaces the headers of msg with a copy that carries the span's context.
func (p *Publisher) inject(ctx context.Context, s *sending, msg *amqp.Publishing) {
	headers, replaced := carrier.Table(msg.Headers).Replace(ctx, s.directives.Propagator(p.instrumentation.Propagator))
	if replaced && s.span != nil {
		p.publish.LinkReplaced(s.caller, s.span, carrier.Table(msg.Headers))
	}
	if s.directives.WithoutPropagation {
		msg.Headers = amqp.Table(headers)
		return
	}
	// The age of a delayed message must not be guessed.
	if _, delayed := msg.Headers[delayHeader]; delayed || p.shared.QueueTime {
		headers[messaging.SentAtHeader] = messaging.SentAt(time.Now())
	}
	if s.directives.NewTrace {
		headers[messaging.NewTraceHeader] = messaging.NewTraceRequested
	}
	msg.Headers = amqp.Table(headers)
}

// end ends the span with the outcome of the publish and records its metrics. returned is
// false if the channel, or the propagator before it, panicked. It must be called from a
// closure: a deferred span.End recovers a panic and raises it again elsewhere.
func (s *sending) end(err error, returned bool, outcome ...attribute.KeyValue) {
	if s.span == nil {
		return
	}
	failure := ""
	switch {
	case !returned:
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(s.span)
		s.publish.Exception(s.ctx, nil, "")
	case err != nil:
		failure = fail(s.ctx, s.publish, s.span, err)
	}
	if len(outcome) > 0 && s.span.IsRecording() {
		s.span.SetAttributes(outcome...)
	}
	s.point.ErrorType = failure
	if s.untimed {
		s.publish.Count(s.ctx, s.point, 1)
	} else {
		s.publish.Done(s.ctx, s.start, s.point, 1)
	}
	s.span.End()
}

// route holds what is common to the spans of all messages with one exchange and routing
// key.
type route struct {
	destination messaging.Destination
	spanName    string
	attributes  []attribute.KeyValue
}

func (p *Publisher) route(exchange, key string) *route {
	return p.routes.Get([2]string{exchange, key}, func() *route {
		d := publishDestination(exchange, key)
		r := &route{destination: d, spanName: p.publish.SpanName(d.Name)}
		r.attributes = appendDestination(slices.Clone(p.publish.Attributes), d, destinationName(exchange, key, ""), key)
		return r
	})
}
