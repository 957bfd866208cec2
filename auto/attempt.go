package auto

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// autoAckPatience is how long a message of a consumer with autoAck waits for a function that
// takes it, until its span ends: nothing else says that it is processed.
const autoAckPatience = 20 * time.Millisecond

// An attempt is the processing of one message. Its span is started by whatever comes first: a
// function with the delivery as a parameter, a settlement, or a call without a context in the loop
// that took the message. In the latter two cases it begins when the message was taken. Until
// then the message can still be given away to code that instruments itself.
type attempt struct {
	consumption *consumption
	flight      *flight
	delivery    amqp.Delivery // as it came

	isTaken atomic.Bool

	mu         sync.Mutex
	at         time.Time // when it was taken
	ctx        context.Context
	processing *amqptrace.Processing // nil before it is started
	started    amqp.Acknowledger     // amqptrace's
	functions  int                   // which are processing it
	settled    bool
	over       bool
	byHand     bool // amqptrace notes settlements itself
}

func (a *attempt) taken() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at = time.Now()
	a.isTaken.Store(true)
	if a.consumption.autoAck {
		time.AfterFunc(autoAckPatience, a.abandon)
	}
}

// abandon ends the span of a message that is settled already and that no function takes.
func (a *attempt) abandon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.functions == 0 {
		a.finish()
	}
}

// start starts the span, if there is none and the attempt is not over.
func (a *attempt) start(ctx context.Context, at time.Time) {
	if a.processing != nil || a.over {
		return
	}
	defer leave(enter())
	d := a.delivery
	a.ctx, a.processing = a.consumption.consumer.StartProcess(messaging.StartedAt(ctx, at), &d)
	a.started = d.Acknowledger
	a.delivery.Body = nil // it is kept as long as the message is not settled
}

// finish ends the span, and starts one if there is none.
func (a *attempt) finish() {
	a.start(context.Background(), a.at)
	if a.over {
		return
	}
	a.over = true
	a.flight.remove(a)
	_ = a.processing.Result(nil) // functions have noted their errors
	a.processing.End()
}

// context is the context of a message that is being processed by the loop that has taken it,
// nil if it is not.
func (a *attempt) context() context.Context {
	if !a.isTaken.Load() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start(context.Background(), a.at)
	if a.over {
		return nil
	}
	return a.ctx
}

// giveAway leaves the message to amqptrace.
func (a *attempt) giveAway(d *amqp.Delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.over:
	case a.processing == nil:
		a.over = true
		a.flight.remove(a)
	default: // a function that has the delivery calls what makes a span by hand
		a.byHand = true
		d.Acknowledger = a.started
	}
}

// settle settles the message by way of amqptrace, which notes it and calls the channel. It is
// not done where amqptrace is what called, or has left the message alone.
func (a *attempt) settle(call func(amqp.Acknowledger) error) (err error, done bool) {
	a.mu.Lock()
	a.consumption.known.Store(true)
	if a.functions == 0 { // a loop, which settles its own messages
		note(&node{consumer: a.consumption, reads: true})
	}
	a.start(context.Background(), a.at)
	through, over := a.started, a.over
	if a.byHand {
		through = nil
	}
	a.mu.Unlock()
	if over {
		return nil, false
	}
	defer a.isSettled()
	if _, ok := through.(*amqp.Channel); ok || through == nil {
		return nil, false
	}
	defer leave(enter())
	return call(through), true
}

// settledWith notes a settlement of several messages that was called on another one.
func (a *attempt) settledWith(how amqptrace.Settlement) {
	if !a.isTaken.Load() {
		return
	}
	a.mu.Lock()
	a.start(context.Background(), a.at)
	a.processing.Settled(how)
	a.mu.Unlock()
	a.isSettled()
}

func (a *attempt) isSettled() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled = true
	if a.functions == 0 {
		a.finish()
	}
}

// isClosed ends the span of a message that can no longer be settled.
func (a *attempt) isClosed() {
	if a.isTaken.Load() {
		a.isSettled()
	}
}

// A Function is the call of a function that has a delivery as a parameter.
type Function struct {
	attempt    *attempt
	processing *amqptrace.Processing
	scope      *scope
	before     *node
}

// Enter is called by woven code at the start of a function that has a delivery and, where ctx
// is not nil, a context as parameters. It returns the context with the message's span, in
// which the function works until Leave is called.
func Enter(ctx context.Context, d *amqp.Delivery) (context.Context, *Function) {
	f := new(Function)
	if off() || d == nil {
		return ctx, f
	}
	if f.attempt = attemptOf(d); f.attempt != nil {
		ctx, f.processing = f.attempt.enter(ctx)
	}
	if ctx != nil && trace.SpanContextFromContext(ctx).IsValid() {
		f.scope, f.before = begin(ctx)
	}
	return ctx, f
}

func (a *attempt) enter(ctx context.Context) (context.Context, *amqptrace.Processing) {
	if ctx == nil {
		ctx = context.Background()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start(ctx, time.Time{})
	switch {
	case a.ctx == nil: // it was given away
		return ctx, nil
	case a.over:
		return trace.ContextWithSpan(ctx, trace.SpanFromContext(a.ctx)), nil
	}
	a.functions++
	a.consumption.known.Store(true)
	defer leave(enter())
	d := a.delivery
	d.Acknowledger = a.started
	return a.consumption.consumer.StartProcess(ctx, &d)
}

// Leave is called by woven code when the function returns, with its error, or panics.
func (f *Function) Leave(err error) {
	if f.scope != nil {
		f.scope.end(f.before)
	}
	if f.processing == nil {
		return
	}
	f.attempt.leave(f.processing, err, isPanicking())
}

func (a *attempt) leave(p *amqptrace.Processing, err error, panicking bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !panicking {
		_ = p.Result(err)
	}
	p.End()
	a.functions--
	if a.functions == 0 && (a.settled || panicking || a.consumption.autoAck) {
		a.finish()
	}
}

// isPanicking reports whether what called its caller was itself called by a deferred function
// of a goroutine that panics or exits. There is no recover, so that a panic stays what it is.
func isPanicking() bool {
	var pcs [6]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.gopanic" || frame.Function == "runtime.Goexit" {
			return true
		}
		if !more {
			return false
		}
	}
}
