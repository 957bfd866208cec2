package asynqtrace

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// worker starts the spans of attempts at tasks.
type worker struct {
	config

	instrumentation *messaging.Instrumentation
	process         *messaging.Operation
	routes          messaging.Cache[[2]string, route] // by queue and type
}

func newWorker(opts []Option) *worker {
	c := newConfig(opts)
	i := c.instrumentation()
	return &worker{config: c, instrumentation: i, process: i.Operation("process", messaging.Process)}
}

// process is one attempt under way.
type process struct {
	ctx     context.Context // the handler's
	worker  *worker
	span    trace.Span // nil where the task is not traced
	start   time.Time
	attempt attempt
}

// An arrival is what is known of a task before it is processed. It is read once.
type arrival struct {
	attempt

	taskType      string
	origin        messaging.Origin
	continueTrace bool
	traced        bool
	age           time.Duration
	ageKnown      bool // always false where nobody asks for it
}

// arrive reads what is known of a task. ctx is asynq's own.
func (w *worker) arrive(ctx context.Context, task *asynq.Task) arrival {
	headers := carrier.Headers(task.Headers())
	a := arrival{attempt: attemptOf(ctx), taskType: task.Type()}
	a.origin.Read(ctx, headers, w.instrumentation.Propagator)
	if w.filter != nil || w.relation != nil || w.shared.QueueTime {
		a.age, a.ageKnown = ageOf(headers)
	}
	m := Message{
		Queue: a.queue, Type: a.taskType, ID: a.taskID, Headers: headers,
		Age: a.age, AgeKnown: a.ageKnown, Attempt: a.retried + 1,
	}
	a.continueTrace = w.relation == nil || w.relation(m)
	a.traced = w.filter == nil || w.filter(m)
	return a
}

// begin starts the span of an attempt whose handler is about to be called, unless the
// task is not traced. ctx is asynq's own.
func (w *worker) begin(ctx context.Context, task *asynq.Task) process {
	a := w.arrive(ctx, task)
	if !a.traced {
		return process{ctx: a.origin.Context(a.continueTrace)}
	}
	p := w.start(ctx, &a)
	if w.shared.QueueTime && a.ageKnown {
		w.process.QueueTime(p.ctx, a.age.Seconds(), messaging.Point{Destination: a.destination()})
		p.span.SetAttributes(messaging.QueueTimeAttribute(a.age.Seconds()))
	}
	return p
}

// start starts the span of a task that asynq has taken from its queue.
func (w *worker) start(ctx context.Context, a *arrival) process {
	// What asynq's context has of the attempt is kept: the handler may go on after asynq
	// has cancelled it.
	p := process{worker: w, attempt: a.attempt, start: w.process.Now(ctx)}
	r := w.routes.Get([2]string{a.queue, a.taskType}, func() route {
		return newRoute(w.process, a.queue, a.taskType)
	})
	var room [3]attribute.KeyValue
	own := room[:0]
	if a.taskID != "" {
		own = append(own, messaging.MessageID(a.taskID))
	}
	if a.known {
		own = append(own, retryCountKey.Int(a.retried), maxRetryKey.Int(a.maxRetry))
	}
	p.ctx, p.span = w.process.StartConsumer(&a.origin, a.continueTrace,
		messaging.SpanStart{Name: r.spanName, Shared: r.attributes}, own...)
	if !a.origin.Created.IsValid() {
		w.process.WithoutContext(p.ctx, messaging.Point{Destination: a.destination()}, 1)
	}
	return p
}

// end ends the span and measures the attempt. err is the handler's error; returned is
// false where the handler did not return but panicked.
func (p *process) end(err error, returned bool) {
	if p.span == nil {
		return
	}
	outcome := p.attempt.outcome(p.ctx.Err(), err, returned)
	revoked := messaging.Is(err, asynq.RevokeTask)
	if outcome == outcomeDeadline && (err == nil || revoked) {
		// asynq has given the attempt up, whatever the handler says.
		err, revoked = p.ctx.Err(), false
	}
	failure := ""
	switch {
	case p.worker.errorOnlyWhenExhausted && !p.attempt.givesUp(outcome):
	case !returned:
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(p.span)
	case err != nil && !revoked:
		failure = fail(p.span, err)
	}
	if p.span.IsRecording() {
		p.span.SetAttributes(outcomeKey.String(string(outcome)))
	}
	p.worker.process.Done(p.ctx, p.start, messaging.Point{
		Destination: p.attempt.destination(), ErrorType: failure,
	}, 1)
	p.span.End()
}
