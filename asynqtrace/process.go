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

// process is one attempt in progress.
type process struct {
	worker *Worker
	task   *asynq.Task
	within *underWay // the attempt that contains this one, nil for one that asynq started

	ctx      context.Context // the handler's
	handling *underWay       // the same, nil if nothing is recorded or measured
	span     trace.Span      // nil if the task is not traced
	began    time.Time
	attempt  attempt
	route    *route
	again    bool // the delivery has been processed and counted before
	counted  bool // as an attempt that asynq has given up
}

// An arrival is what is known about a task before it is processed. It is read once.
type arrival struct {
	attempt

	taskType      string
	origin        messaging.Origin
	attributes    []attribute.KeyValue // the user's
	continueTrace bool
	traced        bool
	age           time.Duration
	ageKnown      bool // always false if nothing needs it
}

// arrive returns what is known about a task. ctx is asynq's own.
func (w *Worker) arrive(ctx context.Context, task *asynq.Task) arrival {
	headers := carrier.Headers(task.Headers())
	a := arrival{attempt: attemptOf(ctx), taskType: task.Type()}
	a.origin.Read(ctx, headers, w.instrumentation.Propagator)
	a.continueTrace, a.traced = true, true
	decides := w.filter != nil || w.relation != nil || w.attributesOf != nil
	if decides || w.shared.QueueTime {
		a.age, a.ageKnown = ageOf(headers)
	}
	if !decides {
		return a
	}
	m := Message{
		Queue: a.queue, Type: a.taskType, ID: a.taskID, Headers: headers, PayloadSize: len(task.Payload()),
		NewTraceAsked: messaging.AsksForNewTrace(headers), Age: a.age, AgeKnown: a.ageKnown, Attempt: a.retried + 1,
	}
	a.continueTrace = messaging.Relation(ScopeName, w.relation, m)
	a.traced = messaging.Filter(ScopeName, w.filter, m)
	if a.traced {
		a.attributes = w.messageAttributes(m)
	}
	return a
}

// begin starts the span of an attempt whose handler is about to be called, unless the
// task is not traced. ctx is asynq's own.
func (p *process) begin(ctx context.Context) {
	a := p.worker.arrive(ctx, p.task)
	if !a.traced {
		p.ctx = a.origin.Context(a.continueTrace)
		return
	}
	p.start(ctx, &a)
	if p.worker.shared.QueueTime && a.ageKnown && p.isFirst() {
		p.worker.process.QueueTime(p.ctx, a.age.Seconds(), messaging.Point{Destination: a.destination()})
	}
}

// start starts the span of a task that asynq has taken from its queue.
func (p *process) start(ctx context.Context, a *arrival) {
	w := p.worker
	// The attempt's values in asynq's context are kept, since the handler may go on after
	// asynq has cancelled it.
	p.attempt, p.began = a.attempt, w.process.Now(ctx)
	p.again = w.failures.again(p.task)
	p.route = w.routes.get(w.process, a.queue, a.taskType)
	var room [3]attribute.KeyValue
	own := room[:0]
	if a.taskID != "" {
		own = append(own, messaging.MessageID(a.taskID))
	}
	if a.known {
		own = append(own, retryCountKey.Int(a.retried), maxRetryKey.Int(a.maxRetry))
	}
	own = append(own, a.attributes...)
	if w.shared.QueueTime && a.ageKnown {
		own = append(own, messaging.QueueTimeAttribute(a.age.Seconds()))
	}
	p.ctx, p.span = w.process.StartConsumer(&a.origin, a.continueTrace,
		messaging.SpanStart{Name: p.route.spanName, Shared: p.route.attributes}, own...)
	if !a.origin.Created.IsValid() && p.isFirst() {
		w.process.WithoutContext(p.ctx, messaging.Point{Destination: a.destination()}, 1)
	}
	if p.span.IsRecording() || !p.began.IsZero() {
		p.handling = &underWay{Context: p.ctx, taskType: a.taskType}
		p.ctx = p.handling
	}
}

// isFirst reports whether this is the first time that a handler is called for a task that
// asynq has taken from its queue.
func (p *process) isFirst() bool { return p.within == nil && !p.again && !p.counted }

// end ends the span and records the attempt's metrics. err is the handler's error; returned
// is false if the handler panicked.
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
		p.worker.process.Exception(p.ctx, nil, "")
	case err != nil && !revoked:
		failure = fail(p.ctx, p.worker.process, p.span, err)
	}
	if !returned || err != nil {
		p.worker.failures.add(p.task)
	}
	if p.span.IsRecording() {
		p.span.SetAttributes(p.handling.one(outcomeKey.String(string(outcome)))...)
	}
	p.measure(outcome, failure)
	p.span.End()
}

func (p *process) measure(o outcome, failure string) {
	point := messaging.Point{Destination: p.attempt.destination(), ErrorType: failure, Labels: [2]messaging.Label{
		{Key: taskTypeKey, Value: p.route.taskType}, {Key: outcomeKey, Value: string(o)},
	}}
	deliveries := int64(0)
	if p.isFirst() {
		deliveries = 1
	}
	p.worker.process.Done(p.ctx, p.began, point, deliveries)
	if p.within == nil && !p.counted {
		point.ErrorType = "" // belongs to the attempt; the outcome is the task's
		p.worker.process.Settled(p.ctx, point, 1)
	}
}
