package asynqtrace

import (
	"context"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/headers"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// worker starts the spans of attempts at tasks.
type worker struct {
	config

	instrumentation *messaging.Instrumentation
	process         *messaging.Operation
	routes          messaging.Routes
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

// begin starts the span of an attempt whose handler is about to be called, where the
// task is traced. ctx is asynq's own.
func (w *worker) begin(ctx context.Context, task *asynq.Task) process {
	p := w.delivered(ctx, task)
	if p.span == nil || !w.shared.QueueTime {
		return p
	}
	if age, known := ageOf(task); known {
		w.process.QueueTime(p.ctx, age.Seconds(), p.attempt.destination())
		p.span.SetAttributes(messaging.QueueTimeAttribute(age.Seconds()))
	}
	return p
}

// delivered starts the span of a task that asynq has taken from its queue.
func (w *worker) delivered(ctx context.Context, task *asynq.Task) process {
	// What asynq's context tells is kept: the handler may go on after asynq has
	// cancelled it.
	p := process{worker: w, attempt: attemptOf(ctx)}
	continueTrace, traced := w.decide(task, p.attempt)
	if !traced {
		p.ctx = w.instrumentation.Propagate(ctx, carrier.Headers(task.Headers()), continueTrace)
		return p
	}
	var m struct { // One allocation for all that is needed.
		headers headers.Reader[string]
		room    messaging.Room
	}
	m.headers.Map = task.Headers()
	p.start = w.process.Now(ctx)
	var created *trace.SpanContext
	r := w.route(p.attempt.queue, task.Type())
	p.ctx, p.span, created = w.process.StartConsumer(
		ctx, r.SpanName, &m.headers, continueTrace, w.attributes(r, p.attempt), &m.room)
	if created == nil {
		w.process.WithoutContext(p.ctx, p.attempt.destination(), 1)
	}
	return p
}

// decide asks the user's functions about a task, if there are any.
func (w *worker) decide(task *asynq.Task, a attempt) (continueTrace, traced bool) {
	if w.filter == nil && w.relation == nil {
		return true, true
	}
	m := Message{Queue: a.queue, Type: task.Type(), ID: a.taskID, Headers: task.Headers(), Attempt: a.retried + 1}
	m.Age, m.AgeKnown = ageOf(task)
	return w.relation == nil || w.relation(m), w.filter == nil || w.filter(m)
}

// route is what the spans of all attempts at tasks of a type have, in one queue.
func (w *worker) route(queue, taskType string) *messaging.Route {
	if r := w.routes.Find(queue, taskType); r != nil {
		return r
	}
	return w.routes.Add(queue, taskType, w.process.SpanName(queue), taskAttributes(w.process, queue, taskType))
}

func (w *worker) attributes(r *messaging.Route, a attempt) []attribute.KeyValue {
	attributes := r.Attributes(3)
	if a.taskID != "" {
		attributes = append(attributes, messaging.MessageID(a.taskID))
	}
	if a.known {
		attributes = append(attributes, retryCountKey.Int(a.retried), maxRetryKey.Int(a.maxRetry))
	}
	return attributes
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
	p.worker.process.Done(p.ctx, p.start, p.attempt.destination(), failure, 1)
	p.span.End()
}
