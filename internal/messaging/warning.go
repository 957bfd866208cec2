package messaging

import (
	"fmt"
	"path"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// Some common mistakes cause no error and show in no single span. They are reported to
// OpenTelemetry's error handler, once, because they recur with every message.

// Reported once per process, since a program may have many publishers. Not a sync.Once,
// since an error handler may publish.
var noPropagator, attributesPanic, filterPanic, relationPanic atomic.Bool

// Report calls OpenTelemetry's error handler. It may be the user's, and a panic in it is
// ignored: it is called while a message is being handled.
func Report(err error) {
	defer func() { _ = recover() }()
	otel.Handle(err)
}

// warnOfNoPropagator reports that a span is recorded whose context no message carries.
func (i *Instrumentation) warnOfNoPropagator() {
	if !i.propagates() && !noPropagator.Swap(true) {
		Report(fmt.Errorf("%s: messages are sent without trace context, since the propagator has no fields: "+
			"call otel.SetTextMapPropagator or use WithPropagators", path.Base(i.scope)))
	}
}

// adoptions watches for an ambient span that becomes the parent of messages of different
// traces: nearly always one that was opened when the program started and left in the
// context of the consumer. The zero value is ready for use.
type adoptions struct {
	last     atomic.Pointer[adoption]
	reported atomic.Bool
}

// adoption is one span and the trace of a message that it became the parent of.
type adoption struct {
	ambient trace.SpanID
	message trace.TraceID
}

// note records a message whose parent is an ambient span. A message of the ambient span's
// own trace, such as a reply, belongs there.
func (a *adoptions) note(scope string, o *Origin) {
	ambient := o.ambient.SpanContext()
	if a.reported.Load() || !o.Created.IsValid() || o.Created.TraceID() == ambient.TraceID() || hasEnded(o.ambient) {
		return
	}
	last := a.last.Load()
	if last == nil || last.ambient != ambient.SpanID() {
		a.last.Store(&adoption{ambient.SpanID(), o.Created.TraceID()})
		return
	}
	if last.message != o.Created.TraceID() && a.reported.CompareAndSwap(false, true) {
		Report(fmt.Errorf("%s: span %s of trace %s is the parent of messages of different traces: "+
			"consume with a context that has no span, unless this is meant",
			path.Base(scope), ambient.SpanID(), ambient.TraceID()))
	}
}

// RecoverAttributes is deferred around a user's function that returns attributes, so that
// its panic does not affect the message.
func RecoverAttributes(scope string) {
	if r := recover(); r != nil {
		reportPanic(&attributesPanic, scope, "WithMessageAttributes", r)
	}
}

// Filter calls a user's filter for a message, which is traced if there is none or if it
// panics.
func Filter[M any](scope string, filter func(M) bool, m M) (traced bool) {
	return decide(&filterPanic, scope, "WithFilter", filter, m)
}

// Relation calls a user's relation for a message, whose trace is continued if there is none
// or if it panics.
func Relation[M any](scope string, relation func(M) bool, m M) (continueTrace bool) {
	return decide(&relationPanic, scope, "WithRelation", relation, m)
}

func decide[M any](reported *atomic.Bool, scope, option string, f func(M) bool, m M) (yes bool) {
	if f == nil {
		return true
	}
	defer func() {
		if r := recover(); r != nil {
			reportPanic(reported, scope, option, r)
			yes = true
		}
	}()
	return f(m)
}

func reportPanic(reported *atomic.Bool, scope, option string, r any) {
	if !reported.Swap(true) {
		Report(fmt.Errorf("%s: the function of %s panicked: %v", path.Base(scope), option, r))
	}
}
