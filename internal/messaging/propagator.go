package messaging

import (
	"context"
	"slices"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

// Propagator returns the propagator for messages, for callers that need nothing else of an
// [Instrumentation].
func (o Options) Propagator() propagation.TextMapPropagator {
	if o.Propagators == nil {
		o.Propagators = otel.GetTextMapPropagator()
	}
	return newPropagator(o)
}

func newPropagator(o Options) *fieldsOnce {
	p := o.Propagators
	if o.LimitBaggage {
		keys := make(map[string]bool, len(o.BaggageKeys))
		for _, k := range o.BaggageKeys {
			keys[k] = true
		}
		p = baggageFilter{p, keys}
	}
	return &fieldsOnce{TextMapPropagator: p}
}

// fieldsOnce remembers the propagator's fields. A composite propagator builds them at each
// call, with a map, and they are needed for every message. They include our own headers,
// which are as stale as the rest in a message that is published again.
type fieldsOnce struct {
	propagation.TextMapPropagator

	fields atomic.Pointer[[]string]
}

// Fields asks again while the answer is empty: OpenTelemetry's global propagator
// has no fields until the program sets one, which may be after the instrumentation
// was built.
func (p *fieldsOnce) Fields() []string {
	if f := p.fields.Load(); f != nil {
		return *f
	}
	f := p.TextMapPropagator.Fields()
	all := append(slices.Clip(f), SentAtHeader, PublishIDHeader, NewTraceHeader)
	if len(f) > 0 {
		p.fields.Store(&all)
	}
	return all
}

// isEmpty reports whether the propagator writes nothing, which is what OpenTelemetry's global
// one does until the program sets another.
func (p *fieldsOnce) isEmpty() bool {
	return p.fields.Load() == nil && len(p.TextMapPropagator.Fields()) == 0
}

// baggageFilter passes only the listed members of the baggage, into messages and out of
// them. It works for every propagator, since all of them keep baggage in the context.
type baggageFilter struct {
	propagation.TextMapPropagator

	keys map[string]bool
}

func (p baggageFilter) Inject(ctx context.Context, c propagation.TextMapCarrier) {
	if bag := baggage.FromContext(ctx); bag.Len() > 0 {
		ctx = baggage.ContextWithBaggage(ctx, p.filter(bag))
	}
	p.TextMapPropagator.Inject(ctx, c)
}

// Extract filters what the message carries and not what ctx has already.
func (p baggageFilter) Extract(ctx context.Context, c propagation.TextMapCarrier) context.Context {
	own := baggage.FromContext(ctx)
	out := p.TextMapPropagator.Extract(baggage.ContextWithoutBaggage(ctx), c)
	if bag := p.filter(baggage.FromContext(out)); bag.Len() > 0 {
		own = bag
	}
	return baggage.ContextWithBaggage(out, own)
}

func (p baggageFilter) filter(bag baggage.Baggage) baggage.Baggage {
	for _, m := range bag.Members() {
		if !p.keys[m.Key()] {
			bag = bag.DeleteMember(m.Key())
		}
	}
	return bag
}
