package asynqtrace

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// producer is what clients and schedulers have in common.
type producer struct {
	config

	instrumentation *messaging.Instrumentation
	enqueue         *messaging.Operation
	routes          *messaging.Routes
}

func newProducer(opts []Option) producer {
	c := newConfig(opts)
	i := c.instrumentation()
	return producer{config: c, instrumentation: i, enqueue: i.Operation("enqueue", messaging.Send), routes: new(messaging.Routes)}
}

// sending is one enqueue under way.
type sending struct {
	ctx     context.Context // the task carries it
	enqueue *messaging.Operation
	span    trace.Span // nil where the task is not traced
	start   time.Time
	to      target
}

// send starts the span of an enqueue, where the task is traced.
func (p *producer) send(
	ctx context.Context, task *asynq.Task, opts []asynq.Option, more ...trace.SpanStartOption,
) sending {
	s := sending{ctx: ctx, enqueue: p.enqueue, to: targetOf(task, opts)}
	if p.filter != nil && !p.filter(Message{
		Queue: s.to.queue, Type: task.Type(), ID: s.to.id, Headers: task.Headers(),
	}) {
		return s
	}
	s.start = p.enqueue.Now(ctx)
	r := p.route(s.to.queue, task.Type())
	attributes := r.Attributes(1)
	if s.to.id != "" {
		attributes = append(attributes, messaging.MessageID(s.to.id))
	}
	s.ctx, s.span = p.enqueue.Start(ctx, r.SpanName, attributes, nil, more...)
	return s
}

// route is what the spans of all tasks of a type have that go to one queue.
func (p *producer) route(queue, taskType string) *messaging.Route {
	if r := p.routes.Find(queue, taskType); r != nil {
		return r
	}
	return p.routes.Add(queue, taskType, p.enqueue.SpanName(queue), taskAttributes(p.enqueue, queue, taskType))
}

func taskAttributes(o *messaging.Operation, queue, taskType string) []attribute.KeyValue {
	attributes := append(o.Attributes(2), messaging.Text(taskTypeKey, taskType))
	if queue != "" {
		attributes = append(attributes, messaging.DestinationName(queue))
	}
	return attributes
}

// headers returns a copy of the task's headers with the context of ctx.
func (p *producer) headers(ctx context.Context, task *asynq.Task) map[string]string {
	return p.config.headers(ctx, p.instrumentation.Propagator, task)
}

func (c *config) headers(
	ctx context.Context, propagator propagation.TextMapPropagator, task *asynq.Task,
) map[string]string {
	headers := carrier.Headers(task.Headers()).Inject(ctx, propagator)
	if c.shared.QueueTime {
		headers[messaging.SentAtHeader] = messaging.SentAt(time.Now())
	}
	return headers
}

// end ends the span with asynq's answer and measures the enqueue. returned is false
// where asynq did not return but panicked. It has to be called from a closure: a
// deferred span.End recovers a panic and raises it again from another place.
func (s *sending) end(info *asynq.TaskInfo, err error, returned bool) {
	if s.span == nil {
		return
	}
	failure := ""
	switch {
	case !returned:
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(s.span)
	case errors.Is(err, asynq.ErrDuplicateTask):
		s.refused(enqueueDuplicate)
	case errors.Is(err, asynq.ErrTaskIDConflict):
		s.refused(enqueueConflict)
	case err != nil:
		failure = fail(s.span, err)
	case info != nil:
		s.accepted(info)
	}
	s.enqueue.Done(s.ctx, s.start, messaging.Destination{Name: s.to.queue}, failure, 1)
	s.span.End()
}

// refused notes that asynq has not taken the task, on the caller's own request.
func (s *sending) refused(outcome string) {
	if s.span.IsRecording() {
		s.span.SetAttributes(enqueueOutcomeKey.String(outcome))
	}
}

// accepted adds what the options did not tell.
func (s *sending) accepted(info *asynq.TaskInfo) {
	recording := s.span.IsRecording()
	if s.to.queue == "" {
		s.to.queue = info.Queue
		if recording {
			s.span.SetAttributes(messaging.DestinationName(info.Queue))
		}
	}
	if s.to.id == "" && recording {
		s.span.SetAttributes(messaging.MessageID(info.ID))
	}
}
