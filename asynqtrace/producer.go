package asynqtrace

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// producer is the common part of clients and schedulers.
type producer struct {
	config

	instrumentation *messaging.Instrumentation
	enqueue         *messaging.Operation
	routes          *routes
}

func newProducer(opts []Option) producer {
	c := newConfig(opts)
	return producerOf(c, c.instrumentation())
}

func producerOf(c config, i *messaging.Instrumentation) producer {
	return producer{config: c, instrumentation: i, enqueue: i.Operation("enqueue", messaging.Send), routes: new(routes)}
}

// sending is one enqueue in progress.
type sending struct {
	ctx     context.Context // the task carries it
	enqueue *messaging.Operation
	span    trace.Span // nil if the task is not traced
	start   time.Time
	to      target

	taskType   string // as in metrics
	directives messaging.Directives
}

// send starts the span of an enqueue, unless the task is not traced.
func (p *producer) send(ctx context.Context, task *asynq.Task, opts []asynq.Option, newRoot bool) sending {
	l, layoutErr := layout()
	s := sending{
		ctx: ctx, enqueue: p.enqueue, to: targetOf(task, opts, l, layoutErr), directives: messaging.DirectivesOf(ctx),
	}
	if s.directives.WithoutTracing {
		return s
	}
	var of []attribute.KeyValue
	if p.filter != nil || p.attributesOf != nil {
		m := Message{
			Queue: s.to.queue, Type: task.Type(), ID: s.to.id, Headers: task.Headers(), PayloadSize: len(task.Payload()),
		}
		if !messaging.Filter(ScopeName, p.filter, m) {
			return s
		}
		of = p.messageAttributes(m)
	}
	s.start = p.enqueue.Now(ctx)
	r := p.routes.get(p.enqueue, s.to.queue, task.Type())
	s.taskType = r.taskType
	var room [1]attribute.KeyValue
	own := room[:0]
	if s.to.id != "" {
		own = append(own, messaging.MessageID(s.to.id))
	}
	if s.to.delayed() {
		own = append(own, dueTime(s.to.due))
	}
	own = append(own, of...)
	s.ctx, s.span = p.enqueue.StartProducer(ctx, messaging.SpanStart{
		Name: r.spanName, Shared: r.attributes, NewRoot: newRoot,
		NotCarried: layoutErr != nil || s.directives.WithoutPropagation,
	}, own...)
	return s
}

// headers returns a copy of the task's headers with the context of s, which was started in
// the context caller. A context that the task had before is linked.
func (p *producer) headers(caller context.Context, s *sending, task *asynq.Task) map[string]string {
	headers, replaced := p.config.headers(s.ctx, s.directives, p.instrumentation.Propagator, task, s.to.delayed())
	if replaced && s.span != nil {
		p.enqueue.LinkReplaced(caller, s.span, carrier.Headers(task.Headers()))
	}
	return headers
}

// headers also reports whether the task had any of the propagator's headers.
func (c *config) headers(
	ctx context.Context, d messaging.Directives, propagator propagation.TextMapPropagator, task *asynq.Task, delayed bool,
) (headers map[string]string, replaced bool) {
	headers, replaced = carrier.Headers(task.Headers()).Replace(ctx, d.Propagator(propagator))
	if d.WithoutPropagation {
		return headers, replaced
	}
	if c.shared.QueueTime || delayed {
		headers[messaging.SentAtHeader] = messaging.SentAt(time.Now())
	}
	if d.NewTrace {
		headers[messaging.NewTraceHeader] = messaging.NewTraceRequested
	}
	return headers, replaced
}

// end ends the span with asynq's answer and records the metrics of the enqueue. returned is
// false if asynq panicked. It must be called from a closure: a deferred span.End recovers a
// panic and raises it again elsewhere.
func (s *sending) end(info *asynq.TaskInfo, err error, returned bool) {
	if s.span == nil {
		return
	}
	failure := ""
	switch {
	case !returned:
		failure = messaging.ErrorTypePanic
		messaging.FailDidNotReturn(s.span)
		s.enqueue.Exception(s.ctx, nil, "")
	case errors.Is(err, asynq.ErrDuplicateTask):
		s.refused(enqueueDuplicate)
	case errors.Is(err, asynq.ErrTaskIDConflict):
		s.refused(enqueueConflict)
	case err != nil:
		failure = fail(s.ctx, s.enqueue, s.span, err)
	case info != nil:
		s.accepted(info)
	}
	s.enqueue.Done(s.ctx, s.start, messaging.Point{
		Destination: messaging.Destination{Name: s.to.queue}, ErrorType: failure,
		Labels: [2]messaging.Label{{Key: taskTypeKey, Value: s.taskType}},
	}, 1)
	s.span.End()
}

// refused records that asynq refused the task at the caller's own request.
func (s *sending) refused(outcome string) {
	if s.span.IsRecording() {
		s.span.SetAttributes(enqueueOutcomeKey.String(outcome))
	}
}

// accepted adds what was not known from the options.
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

// defaultQueue is asynq's queue for a task that names none.
const defaultQueue = "default"

// target is the destination of a task as far as its options give it.
type target struct {
	queue, id string
	due       time.Time // zero unless it is to be processed later
}

func (t *target) delayed() bool { return !t.due.IsZero() }

// targetOf returns the target from the options of the task and of the call.
func targetOf(task *asynq.Task, opts []asynq.Option, l taskLayout, layoutErr error) target {
	var to target
	if layoutErr == nil {
		to.queue = defaultQueue
		to.read(l.optionsOf(task))
	}
	to.read(opts)
	return to
}

// The option types that asynq uses. It ignores options of other types, whatever their Type
// method returns.
var (
	queueOption     = reflect.TypeOf(asynq.Queue(""))
	taskIDOption    = reflect.TypeOf(asynq.TaskID(""))
	processInOption = reflect.TypeOf(asynq.ProcessIn(0))
	processAtOption = reflect.TypeOf(asynq.ProcessAt(time.Time{}))
)

// read reads options. As in asynq, the last one counts.
func (t *target) read(opts []asynq.Option) {
	for _, o := range opts {
		switch reflect.TypeOf(o) {
		case queueOption:
			t.queue, _ = o.Value().(string)
		case taskIDOption:
			t.id, _ = o.Value().(string)
		case processInOption:
			t.due = time.Time{}
			if in, _ := o.Value().(time.Duration); in > 0 {
				t.due = time.Now().Add(in)
			}
		case processAtOption:
			t.due = time.Time{}
			if at, _ := o.Value().(time.Time); time.Until(at) > 0 {
				t.due = at
			}
		}
	}
}
