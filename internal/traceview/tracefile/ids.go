package tracefile

import (
	"errors"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

// parseIDs parses ids, which may lack leading zeros.
func parseIDs(traceText, spanText string) (trace.TraceID, trace.SpanID, bool) {
	traceID, err := ParseID(traceText)
	if err != nil {
		return traceID, trace.SpanID{}, false
	}
	spanID, err := trace.SpanIDFromHex(pad(spanText, 16))
	return traceID, spanID, err == nil
}

func pad(text string, digits int) string {
	return strings.Repeat("0", max(0, digits-len(text))) + strings.ToLower(text)
}

// ParseID parses a trace id: 32 hexadecimal digits, or fewer, because Jaeger leaves out
// leading zeros.
func ParseID(text string) (trace.TraceID, error) {
	const digits = 32
	if len(text) == 0 || len(text) > digits {
		return trace.TraceID{}, errors.New("a trace id is 32 hexadecimal digits")
	}
	id, err := trace.TraceIDFromHex(pad(text, digits))
	if err != nil {
		return trace.TraceID{}, errors.New("a trace id is 32 hexadecimal digits, not all 0")
	}
	return id, nil
}
