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

// autoAckPatience is how long the span of a message of an autoAck consumer waits for a
// function to take the message before it ends: without a settlement, nothing else shows
// that the message has been processed.
const autoAckPatience = 20 * time.Millisecond

// An attempt is the processing of one message. Its span is started by whichever comes
// first: a function with the delivery as a parameter, a settlement, or a call without a
// context in the loop that took the message. In the latter two cases the span's start time
// is when the message was taken. Until the span is started, the message can still be handed
// over to code that makes its own span.
type attempt struct {
	consumption *consumption
	flight      *flight
	delivery    amqp.Delivery // as received

	isTaken atomic.Bool

	mu         sync.Mutex
	at         time.Time // when it was taken
	ctx        context.Context
	processing *amqptrace.Processing // nil before it is started
	started    amqp.Acknowledger     // amqptrace's
	functions  int                   // that are processing it
	settled    bool
	over       bool
	byHand     bool // amqptrace records settlements itself
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

// abandon ends the span of a message that is already settled and that no function takes.
func (a *attempt) abandon() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.functions == 0 {
		a.finish()
	}
}

// start starts the span, unless there is one already or the attempt is over.
func (a *attempt) start(ctx context.Context, at time.Time) {
	if a.processing != nil || a.over {
		return
	}
	defer leave(enter())
	d := a.delivery
	a.ctx, a.processing = a.consumption.consumer.StartProcess(messaging.StartedAt(ctx, at), &d)
	a.started = d.Acknowledger
	a.delivery.Body = nil // the attempt lives until the message is settled
}

// finish ends the span, starting one first if there is none.
func (a *attempt) finish() {
	a.start(context.Background(), a.at)
	if a.over {
		return
	}
	a.over = true
	a.flight.remove(a)
	_ = a.processing.Result(nil) // functions have recorded their errors
	a.processing.End()
}

// context returns the message's context if the loop that took the message is processing it,
// and nil otherwise.
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

// giveAway hands the message over to amqptrace.
func (a *attempt) giveAway(d *amqp.Delivery) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.over:
	case a.processing == nil:
		a.over = true
		a.flight.remove(a)
	default: // the function that has the delivery makes a span by hand
		a.byHand = true
		d.Acknowledger = a.started
	}
}

// settle settles the message through amqptrace, which records the settlement and calls the
// channel. It does nothing if amqptrace is the caller or leaves the message alone.
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

// settledWith records a settlement of several messages that was called on another of them.
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

// A Function is the call of a function that has a delivery as a parameter. It is for woven
// code only.
type Function struct {
	attempt    *attempt
	processing *amqptrace.Processing
	scope      *scope
	before     *node
}

// Enter is called by woven code at the start of a function that has a delivery as a parameter
// and, unless ctx is nil, a context. It returns the context with the message's span, which is
// also the goroutine's until Leave is called. If d is nil, it returns ctx. The Function is
// never nil.
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
	case a.ctx == nil: // it was handed over
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

// isPanicking reports whether its caller was called by a deferred function that runs
// because the goroutine panics or exits. It does not use recover, which would stop the
// panic.
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
