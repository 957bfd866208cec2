package asynqtrace

import (
	"time"

	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging"
)

// Message is what a filter or a [Relation] decides on, and what [WithMessageAttributes]
// makes attributes of.
type Message struct {
	// Queue is the task's queue. It is empty where it cannot be known: in a handler
	// that is called without a server, and for the tasks of a group where the server
	// has several queues.
	Queue string
	// Type is the task's type name.
	Type string
	// ID is the task's identifier, empty where asynq has not given it one yet.
	ID string
	// Headers are the task's own, to be read only.
	Headers map[string]string
	// PayloadSize is in bytes.
	PayloadSize int
	// NewTraceAsked reports whether the program that enqueued the task asked for a new trace,
	// with [AskForNewTrace]. It is false for a task that is enqueued.
	NewTraceAsked bool
	// Age is how long ago the task was enqueued, by its mqtrace-sent-at header (see
	// [WithQueueTime]). It is meaningful if AgeKnown is true.
	Age      time.Duration
	AgeKnown bool
	// Attempt is one more than asynq's count of retries, and 0 for a task that is
	// enqueued. asynq does not count attempts that Config.IsFailure lets pass or that
	// a shutdown cut short, so the same number may come twice.
	Attempt int
}

// A Relation decides whether the span of an attempt continues the trace of the task,
// true, or starts one of its own, false, with its own sampling decision and a link to
// the task's. It is called for every attempt and from many goroutines, and must not
// panic.
type Relation func(Message) bool

// ContinueTrace is the [Relation] of one trace from end to end.
func ContinueTrace(Message) bool { return true }

// NewTrace is the [Relation] of a trace for each attempt, linked to its task's.
// Together with an empty [WithBaggageKeys] it is the way to process tasks of programs
// that are not trusted: they decide neither about the trace nor its sampling, and put
// nothing into the context.
func NewTrace(Message) bool { return false }

// ContinueWithin is the [Relation] that continues the trace of tasks that were
// enqueued at most an age ago and starts a new one for older tasks, such as those
// delayed by hours with asynq.ProcessIn. Tail sampling in a Collector decides about a
// trace once and forgets it: spans that come hours later are lost or alone, and a
// link holds where a parent cannot.
//
// The age is that of the mqtrace-sent-at header, which tasks have that are enqueued with
// asynq.ProcessIn or asynq.ProcessAt, and with [WithQueueTime] all. A task of unknown age is
// continued.
func ContinueWithin(age time.Duration) Relation {
	return func(m Message) bool { return !m.AgeKnown || m.Age <= age }
}

// ContinueUnlessAsked is the [Relation] that starts a new trace for tasks whose producer asked
// for that, with [AskForNewTrace], and continues the trace of all others. It goes together with
// others in a function of your own:
//
//	within := asynqtrace.ContinueWithin(10 * time.Minute)
//	asynqtrace.WithRelation(func(m asynqtrace.Message) bool {
//		return asynqtrace.ContinueUnlessAsked(m) && within(m)
//	})
func ContinueUnlessAsked(m Message) bool { return !m.NewTraceAsked }

// ageOf returns the time since a task was enqueued, which only its stamp says.
func ageOf(headers carrier.Headers) (time.Duration, bool) {
	age, by := messaging.Age(headers.Get(messaging.SentAtHeader), time.Time{}, time.Now())
	return age, by != messaging.Unknown
}
