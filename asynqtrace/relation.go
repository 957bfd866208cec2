package asynqtrace

import (
	"time"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Message describes a task to a filter, a [Relation] or the function of
// [WithMessageAttributes].
type Message struct {
	// Queue is the task's queue. It is empty if it cannot be known: in a handler that is
	// called without a server, and for the tasks of a group if the server has several
	// queues.
	Queue string
	// Type is the task's type name.
	Type string
	// ID is the task's identifier, empty if asynq has not assigned one yet.
	ID string
	// Headers are the task's own and must not be changed.
	Headers map[string]string
	// PayloadSize is in bytes.
	PayloadSize int
	// NewTraceAsked reports whether the program that enqueued the task asked for a new trace,
	// with [AskForNewTrace]. It is false for a task that is enqueued.
	NewTraceAsked bool
	// Age is how long ago the task was enqueued, by its mqtrace-sent-at header (see
	// [WithQueueTime]). It is meaningful if AgeKnown is true, which it never is for a task
	// that is enqueued.
	Age      time.Duration
	AgeKnown bool
	// Attempt is one more than asynq's count of retries, and 0 for a task that is enqueued.
	// asynq does not count attempts that are not failures by Config.IsFailure or that a
	// shutdown interrupted, so a number may occur twice.
	Attempt int
}

// A Relation reports whether the span of an attempt continues the trace of the task. If
// not, it starts a new trace, with its own sampling decision and a link to the task's. It
// is called for every attempt and from many goroutines. If it panics, the trace is
// continued, and OpenTelemetry's error handler is called once.
type Relation func(Message) bool

// ContinueTrace is the [Relation] that always continues the trace.
func ContinueTrace(Message) bool { return true }

// NewTrace is the [Relation] that starts a new trace for each attempt, linked to its
// task's. Use it together with an empty [WithBaggageKeys] for tasks of untrusted programs:
// they then decide neither the trace nor its sampling, and put nothing into the context.
func NewTrace(Message) bool { return false }

// ContinueWithin is the [Relation] that continues the trace of tasks up to the given age
// and starts a new one for older tasks, such as those delayed by hours with
// asynq.ProcessIn. Tail sampling in a Collector decides about a trace once and then forgets
// it: a span that comes hours later is dropped or kept without its parent, where a link
// still holds.
//
// The age is known from the header mqtrace-sent-at, which is on tasks that are enqueued
// with asynq.ProcessIn or asynq.ProcessAt, and with [WithQueueTime] on all. The trace of a
// task of unknown age is continued.
func ContinueWithin(age time.Duration) Relation {
	return func(m Message) bool { return !m.AgeKnown || m.Age <= age }
}

// ContinueUnlessAsked is the [Relation] that starts a new trace for tasks whose producer
// asked for one, with [AskForNewTrace], and continues the trace of all others. Combine it
// with other relations in a function of your own:
//
//	within := asynqtrace.ContinueWithin(10 * time.Minute)
//	asynqtrace.WithRelation(func(m asynqtrace.Message) bool {
//		return asynqtrace.ContinueUnlessAsked(m) && within(m)
//	})
func ContinueUnlessAsked(m Message) bool { return !m.NewTraceAsked }

// ageOf returns the time since a task was enqueued, known only from its stamp.
func ageOf(headers carrier.Headers) (time.Duration, bool) {
	age, by := messaging.Age(headers.Get(messaging.SentAtHeader), time.Time{}, time.Now())
	return age, by != messaging.Unknown
}
