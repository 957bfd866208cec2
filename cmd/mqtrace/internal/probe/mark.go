package probe

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
)

// The fields of trace context, in the order of the report.
const (
	traceparent = "traceparent"
	tracestate  = "tracestate"
	baggage     = "baggage"
)

var fieldNames = [...]string{traceparent, tracestate, baggage}

// Values that are valid by W3C Trace Context and W3C Baggage, with characters that are lost
// when values are split, trimmed, decoded or escaped: spaces, signs, percent-encoding of a
// comma, a semicolon and letters beyond ASCII, properties, an equals sign within a value, an
// empty value.
const (
	hardTracestate = `mqtrace=probe a:b;c/%2C"~,tenant@vendor=x+y z`
	hardBaggage    = `mqtrace.probe=%C3%A9t%C3%A9%20100%25%2C%3B;origin=a=b;flag,tenant.id=a+b=c , empty=`
)

// idHeader identifies a probe's message.
const idHeader = "mqtrace-probe-id"

// Mark is the trace context of one probe and the id of its message.
type Mark struct {
	ID     string
	fields map[string]string
}

// NewMark returns a mark that no other probe has.
func NewMark() Mark {
	return Mark{ID: "mqtrace-probe-" + rand.Text(), fields: map[string]string{
		traceparent: "00-" + randomHex(16) + "-" + randomHex(8) + "-01",
		tracestate:  hardTracestate,
		baggage:     hardBaggage,
	}}
}

func randomHex(octets int) string {
	b := make([]byte, octets)
	_, _ = rand.Read(b) // never fails
	b[0] |= 1           // an all-zero id is not valid
	return hex.EncodeToString(b)
}

// headers returns the headers of the probe's message.
func (m Mark) headers() map[string]string {
	h := map[string]string{idHeader: m.ID}
	maps.Copy(h, m.fields)
	return h
}
