package probe

import (
	"context"

	otelbaggage "go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// judgeContinued determines whether the changes were made by a service that took part in
// the trace. Such a service puts its own span into traceparent, may extend or rewrite the
// other two fields, but drops nothing.
func judgeContinued(fields []Field) {
	parent, state, bag := &fields[0], &fields[1], &fields[2]
	if !changedInPlace(parent) || !continuesTrace(parent.Sent, parent.Received) {
		return
	}
	parent.Status = Continued
	if changedInPlace(state) && keepsState(state.Sent, state.Received) {
		state.Status = Continued
	}
	if changedInPlace(bag) && keepsBaggage(bag.Sent, bag.Received) {
		bag.Status = Continued
	}
}

func changedInPlace(f *Field) bool {
	return f.Status == Changed && f.Header == "" && (f.Type == typeString || f.Type == "")
}

// continuesTrace reports whether received is another span of the trace, sampled like the
// one that was sent: a span that is not sampled is not exported.
func continuesTrace(sent, received string) bool {
	a, b := spanContext(sent), spanContext(received)
	return b.IsValid() && a.TraceID() == b.TraceID() && a.SpanID() != b.SpanID() && a.TraceFlags() == b.TraceFlags()
}

func spanContext(value string) trace.SpanContext {
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{traceparent: value})
	return trace.SpanContextFromContext(ctx)
}

func keepsState(sent, received string) bool {
	a, errA := trace.ParseTraceState(sent)
	b, errB := trace.ParseTraceState(received)
	if errA != nil || errB != nil {
		return false
	}
	kept := true
	a.Walk(func(key, value string) bool {
		kept = b.Get(key) == value
		return kept
	})
	return kept
}

func keepsBaggage(sent, received string) bool {
	a, errA := otelbaggage.Parse(sent)
	b, errB := otelbaggage.Parse(received)
	if errA != nil || errB != nil {
		return false
	}
	for _, member := range a.Members() {
		if b.Member(member.Key()).String() != member.String() {
			return false
		}
	}
	return true
}
