package faults_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func itoa(n int) string { return strconv.Itoa(n) }

const (
	window      = 64               // messages in flight
	returnEvery = 47               // one in so many messages is unroutable
	forgetEvery = 101              // one in so many confirmations is not waited for
	forGood     = 90 * time.Second // a confirmation that takes longer never comes
)

// publishers send numbered messages until they are stopped: a patient one that pipelines,
// an impatient one that pipelines, and one that waits for each message, on the channel of
// the first.
func (l *load) publishers(ctx context.Context, t *testing.T, k *link) {
	t.Helper()
	first, second := k.channel(t), k.channel(t)
	for _, ch := range []*amqp.Channel{first, second} {
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		l.watch(ch)
	}
	l.publishing.Go(func() { l.pipeline(ctx, k, amqptrace.NewPublisher(first, l.spans.options()...), forGood) })
	l.publishing.Go(func() { l.pipeline(ctx, k, amqptrace.NewPublisher(second, l.spans.options()...), l.hasty) })
	l.publishing.Go(func() {
		l.oneByOne(ctx, k, amqptrace.NewPublisher(first, append(l.spans.options(), amqptrace.WithPropagators(noticing{propagation.TraceContext{}}))...))
	})
}

type sent struct {
	id           int
	confirmation *amqptrace.Confirmation
}

func (l *load) pipeline(ctx context.Context, k *link, pub *amqptrace.Publisher, patience time.Duration) {
	pending := make(chan sent, window)
	l.publishing.Go(func() {
		for s := range pending {
			l.confirm(k, s, patience)
		}
	})
	defer close(pending)
	for n := 1; k.wait(ctx); n++ {
		id := l.ledger.next()
		c, err := pub.PublishDeferred(context.Background(), "", l.route(n), true, false, message(id))
		switch {
		case err != nil:
			l.unsent()
		case n%forgetEvery == 0:
			l.ledger.saw("publish forgotten")
		default:
			pending <- sent{id, c}
		}
		if n%4 == 0 {
			time.Sleep(time.Millisecond) // leave the machine time for the rest
		}
	}
}

// confirm waits for a confirmation with patience, and then for as long as it takes: the
// program learns the outcome in the end, and the span has what it learned first.
func (l *load) confirm(k *link, s sent, patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	err := s.confirmation.Wait(ctx)
	cancel()
	l.ledger.saw("publish " + outcome(err))
	if errors.Is(err, context.DeadlineExceeded) {
		ctx, cancel = context.WithTimeout(context.Background(), forGood)
		err = s.confirmation.Wait(ctx)
		cancel()
		l.ledger.saw("later " + outcome(err))
		if errors.Is(err, context.DeadlineExceeded) {
			l.t.Errorf("message %d was never confirmed, nor its confirmation given up", s.id)
		}
	}
	switch {
	case err == nil:
		k.heard(true)
		l.ledger.confirm(s.id)
	case errors.Is(err, amqptrace.ErrNacked):
		k.heard(false)
	}
}

type sentKey struct{}

// noticing reports whether a message got as far as to the channel. While a channel is closed, a
// publisher returns ErrClosed without sending, and its span has no outcome.
type noticing struct{ propagation.TextMapPropagator }

func (n noticing) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	if sent, ok := ctx.Value(sentKey{}).(*bool); ok {
		*sent = true
	}
	n.TextMapPropagator.Inject(ctx, c)
}

func (l *load) oneByOne(ctx context.Context, k *link, pub *amqptrace.Publisher) {
	for n := 1; k.wait(ctx); n++ {
		id := l.ledger.next()
		wasSent := false
		waiting, cancel := context.WithTimeout(context.WithValue(context.Background(), sentKey{}, &wasSent), forGood)
		err := pub.PublishConfirmed(waiting, "", l.route(n), true, false, message(id))
		cancel()
		switch {
		case err == nil:
			l.ledger.confirm(id)
			l.ledger.saw("publish acked")
		case !wasSent, errors.Is(err, amqp.ErrClosed) && !errors.Is(err, amqptrace.ErrClosed), outcome(err) == "unknown":
			l.unsent()
		default:
			l.ledger.saw("publish " + outcome(err))
		}
	}
}

// unsent records that the host did not send a message. It is sent again as a new one.
func (l *load) unsent() {
	l.ledger.saw("publish no outcome")
	time.Sleep(time.Millisecond)
}

func (l *load) route(n int) string {
	if n%returnEvery == 0 {
		return l.queue + "-nowhere"
	}
	return l.queue
}

func message(id int) amqp.Publishing {
	return amqp.Publishing{MessageId: itoa(id), DeliveryMode: amqp.Persistent, Body: []byte("order")}
}

// outcome returns the outcome that a publish span should have for an error.
func outcome(err error) string {
	switch {
	case err == nil:
		return "acked"
	case errors.Is(err, amqptrace.ErrNacked):
		return "nacked"
	case errors.Is(err, amqptrace.ErrReturned):
		return "returned"
	case errors.Is(err, amqptrace.ErrClosed):
		return "closed"
	case errors.Is(err, amqptrace.ErrNotConfirming):
		return "unconfirmed"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return "unknown"
	}
}
