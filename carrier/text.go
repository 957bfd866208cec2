package carrier

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"go.opentelemetry.io/otel/propagation"
)

// InjectText returns the context of ctx, as propagator writes it, as a JSON object of
// strings on one line, such as
//
//	{"baggage":"tenant.id=t1","traceparent":"00-…-01"}
//
// for a row of an outbox table or the metadata of a job. It returns "" if there is nothing
// to carry. If propagator is nil, OpenTelemetry's global one is used.
func InjectText(ctx context.Context, propagator propagation.TextMapPropagator) string {
	h := Headers(nil).Inject(ctx, propagator)
	if len(h) == 0 {
		return ""
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // "&" is common in baggage, and this is not for HTML
	_ = enc.Encode(h)        //nolint:errchkjson // a map of strings has an encoding, and a Buffer takes it
	return strings.TrimSuffix(b.String(), "\n")
}

// ExtractText returns ctx with the context that text carries, as written by [InjectText] or
// by another program that keeps the fields in a JSON object. Members of the object that are
// not strings are ignored. ExtractText returns ctx unchanged if text is not a JSON object
// or carries nothing usable. If propagator is nil, OpenTelemetry's global one is used.
func ExtractText(ctx context.Context, propagator propagation.TextMapPropagator, text string) context.Context {
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
