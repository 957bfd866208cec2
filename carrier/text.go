package carrier

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// MarshalText returns the context of ctx, as propagator writes it, as a JSON
// object of strings on one line, such as
//
//	{"baggage":"tenant.id=t1","traceparent":"00-…-01"}
//
// to be kept in a row of an outbox table or in the metadata of a job. The object
// is empty where ctx carries nothing. A nil propagator stands for OpenTelemetry's
// global one. The error is that of encoding/json and does not occur with string
// fields; it is there so that the signature need not change with the encoding.
func MarshalText(ctx context.Context, propagator propagation.TextMapPropagator) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // no HTML is near, and "&" is common in baggage
	if err := enc.Encode(Headers(nil).Inject(ctx, propagator)); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// UnmarshalText returns ctx with the context that text, written by [MarshalText]
// or by another tool that keeps the fields in a JSON object, carries. Members that
// are no strings are passed over. Where text is no JSON object, or carries nothing
// usable, ctx comes back as it was. A nil propagator stands for OpenTelemetry's
// global one.
func UnmarshalText(ctx context.Context, propagator propagation.TextMapPropagator, text string) context.Context {
	if text == "" {
		return ctx
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return ctx
	}
	h := make(Headers, len(members))
	for k, raw := range members {
		var s string
		if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
			h[k] = s
		}
	}
	return h.Extract(ctx, propagator)
}
