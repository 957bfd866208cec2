package main

import (
	"context"
	"errors"
	"maps"
	"strings"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Spans by hand are what a careful engineer would write for one program: the same spans as
// ours, to the last attribute, which a test compares. They support one propagator and no
// options or metrics, and do not handle a span that is already current when a message is
// processed, panics, invalid UTF-8 or settlements after the handler has returned.

// headers is the carrier for a propagator. Senders may write names in any letter case.
type headers[V any] map[string]V

func (h headers[V]) Get(key string) string {
	if s, ok := any(h[key]).(string); ok && s != "" {
		return s
	}
	for k, v := range h {
		if strings.EqualFold(k, key) {
			s, _ := any(v).(string)
			return s
		}
	}
	return ""
}

func (h headers[V]) Set(key, value string) { h[key], _ = any(value).(V) }
func (headers[V]) Keys() []string          { return nil }

var fields = propagator.Fields()

// inject returns a copy of h with the trace context of ctx and without any that was there
// before.
func inject[V any](ctx context.Context, h map[string]V) map[string]V {
	out := maps.Clone(h)
	if out == nil {
		out = make(map[string]V, len(fields))
	}
	for k := range h {
		for _, f := range fields {
			if strings.EqualFold(k, f) {
				delete(out, k)
			}
		}
	}
	propagator.Inject(ctx, headers[V](out))
	return out
}

// extract returns ctx with the message's trace context, and a link to it, if there is one.
func extract[V any](ctx context.Context, h map[string]V) (context.Context, trace.SpanStartOption) {
	ctx = propagator.Extract(ctx, headers[V](h))
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		return ctx, trace.WithLinks(trace.Link{SpanContext: sc})
	}
	return ctx, trace.WithLinks()
}

func failed(span trace.Span, err error) {
	if err == nil {
		return
	}
	kind := semconv.ErrorType(err)
	if errors.Is(err, context.DeadlineExceeded) {
		kind = semconv.ErrorTypeKey.String("context.DeadlineExceeded")
	}
	span.SetStatus(codes.Error, err.Error())
	span.SetAttributes(kind)
}
