package asynqtrace

import (
	"context"
	"errors"
	"slices"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// maxLinks is how many tasks of a group are linked: the SDK's default limit, beyond which
// it drops links silently.
const maxLinks = 128

// aggregator is the user's group aggregator with a span around it.
type aggregator struct {
	producer

	aggregate *messaging.Operation
	spanName  string
	queue     string // empty if the server has several: asynq does not report which
	next      asynq.GroupAggregator
	types     taskTypes
}

var _ asynq.GroupAggregator = (*aggregator)(nil)

func newAggregator(cfg asynq.Config, c config, i *messaging.Instrumentation) *aggregator {
	p := producerOf(c, i)
	queue := onlyQueue(cfg.Queues)
	operation := p.instrumentation.Operation("aggregate", messaging.Send)
	return &aggregator{
		producer:  p,
		aggregate: operation,
		spanName:  operation.SpanName(queue),
		queue:     queue,
		next:      cfg.GroupAggregator,
	}
}

// onlyQueue returns the queue of a server that has just one. As in asynq, a queue without
// priority does not count, and without any it is the default queue.
func onlyQueue(queues map[string]int) string {
	only := ""
	for name, priority := range queues {
		switch {
		case priority <= 0:
		case only != "":
			return ""
		default:
			only = name
		}
	}
	if only == "" {
		return defaultQueue
	}
	return only
}

// errNoTask is the error of a group without an aggregated task. asynq logs its own error for
// it, keeps the group and calls the aggregator again later.
var errNoTask = errors.New("asynqtrace: group aggregator returned no task")

func (a *aggregator) Aggregate(group string, tasks []*asynq.Task) (aggregated *asynq.Task) {
	traced := tasks
	if a.filter != nil {
		traced = a.traced(tasks)
	}
	if len(traced) == 0 {
		return a.next.Aggregate(group, tasks)
	}
	ctx := context.Background()
	s := sending{enqueue: a.aggregate, start: a.aggregate.Now(ctx), to: target{queue: a.queue}}
	own, links := a.describe(ctx, group, traced)
	l, notCarried := layout()
	s.ctx, s.span = a.aggregate.Start(ctx, messaging.SpanStart{
		Name: a.spanName, Shared: a.aggregate.Attributes, Links: links, NewRoot: true, NotCarried: notCarried != nil,
	}, own...)
	var err error
	returned := false
	defer func() { s.end(nil, err, returned) }()
	aggregated = a.next.Aggregate(group, tasks)
	returned = true
	if aggregated == nil {
		err = errNoTask
		return nil
	}
	s.taskType = a.types.bounded(aggregated.Type())
	if s.span.IsRecording() {
		s.span.SetAttributes(messaging.Text(taskTypeKey, aggregated.Type()))
	}
	if notCarried == nil {
		to := targetOf(aggregated, nil, l, nil)
		if to.delayed() && s.span.IsRecording() {
			s.span.SetAttributes(dueTime(to.due))
		}
		headers, replaced := a.config.headers(s.ctx, s.directives, a.instrumentation.Propagator, aggregated, to.delayed())
		if replaced {
			a.linkReplaced(ctx, s.span, links, aggregated)
		}
		aggregated = l.withHeaders(aggregated, headers)
	}
	return aggregated
}

// linkReplaced links the context that the user's aggregator put into its task and that the
// span's own replaces, unless a task of the group has the same context, which is linked
// already.
func (a *aggregator) linkReplaced(ctx context.Context, span trace.Span, links []trace.Link, aggregated *asynq.Task) {
	var origin messaging.Origin
	origin.Read(ctx, carrier.Headers(aggregated.Headers()), a.instrumentation.Propagator)
	if origin.Created.IsValid() && !slices.ContainsFunc(links, func(l trace.Link) bool {
		return l.SpanContext.SpanID() == origin.Created.SpanID()
	}) {
		span.AddLink(trace.Link{SpanContext: origin.Created})
	}
}

func (a *aggregator) traced(tasks []*asynq.Task) []*asynq.Task {
	var traced []*asynq.Task
	for _, task := range tasks {
		if messaging.Filter(ScopeName, a.filter, a.messageOf(task)) {
			traced = append(traced, task)
		}
	}
	return traced
}

// messageOf describes a task of a group. asynq gives it no identifier.
func (a *aggregator) messageOf(task *asynq.Task) Message {
	m := Message{
		Queue: a.queue, Type: task.Type(), Headers: task.Headers(), PayloadSize: len(task.Payload()),
		NewTraceAsked: messaging.AsksForNewTrace(carrier.Headers(task.Headers())),
	}
	m.Age, m.AgeKnown = ageOf(task.Headers())
	return m
}

// describe returns the attributes of the group's span, and a link for each task that
// carries a context.
func (a *aggregator) describe(
	ctx context.Context, group string, tasks []*asynq.Task,
) ([]attribute.KeyValue, []trace.Link) {
	links := make([]trace.Link, 0, min(len(tasks), maxLinks))
	unlinked, without := 0, int64(0)
	for _, task := range tasks {
		var origin messaging.Origin
		origin.Read(ctx, carrier.Headers(task.Headers()), a.instrumentation.Propagator)
		switch {
		case !origin.Created.IsValid():
			without++
		case len(links) == maxLinks:
			unlinked++
		default:
			own := []attribute.KeyValue{messaging.Text(taskTypeKey, task.Type())}
			if a.attributesOf != nil {
				own = append(own, a.messageAttributes(a.messageOf(task))...)
			}
			links = append(links, trace.Link{SpanContext: origin.Created, Attributes: own})
		}
	}
	if without > 0 {
		a.aggregate.WithoutContext(ctx, messaging.Point{Destination: messaging.Destination{Name: a.queue}}, without)
	}
	attributes := []attribute.KeyValue{messaging.Text(groupKey, group), messaging.BatchMessageCount(len(tasks))}
	if a.queue != "" {
		attributes = append(attributes, messaging.DestinationName(a.queue))
	}
	if unlinked > 0 {
		attributes = append(attributes, unlinkedKey.Int(unlinked))
	}
	return attributes, links
}
