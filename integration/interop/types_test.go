//go:build interop

package interop_test

import (
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

func spanID(t *testing.T, text string) trace.SpanID {
	t.Helper()
	id, err := trace.SpanIDFromHex(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Each type that a header's value can have goes to Node and, sent on from there, comes
// back. None of them hides the trace beside it.
func TestNodeEchoesTypes(t *testing.T) {
	s := sharedBroker(t)
	node := start(t, s.url, "node", "amqplib.js", "parent")
	for _, row := range []struct {
		letter string
		value  any
	}{
		{"t", true},
		{"b", int8(-8)},
		{"B", byte(8)},
		{"s", int16(-16)},
		{"I", int32(-32)},
		{"l", int64(-1 << 40)},
		{"l", int64(1<<53 + 1)},
		{"f", float32(0.5)},
		{"d", 0.25},
		{"D", amqp.Decimal{Scale: 2, Value: 314}},
		{"S", "grüße"},
		{"x", []byte("bytes")},
		{"T", time.Unix(1700000000, 0)},
		{"F", amqp.Table{"a": "b"}},
		{"A", []any{"a", int32(1)}},
		{"V", nil},
	} {
		from, to := s.queue(nil), s.queue(nil)
		published := s.publish("", from, amqp.Table{"value": row.value})
		got := node.do("echo", args{"from": from, "to": to})
		d := s.get(to)
		seen := got.Headers["value"]
		came := d.Headers["value"]
		s.saw(types, "`"+row.letter+"`", text(row.value), seen.Type, text(came))
		sc := trace.SpanContextFromContext(carrier.Table(d.Headers).Extract(t.Context(), propagator))
		if sc.TraceID() != published.SpanContext.TraceID() {
			t.Errorf("beside %s the trace is %v", row.letter, sc)
		}
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
}

func text(v any) string {
	switch v := v.(type) {
	case time.Time:
		return fmt.Sprintf("time.Time %d", v.Unix())
	case []byte:
		return fmt.Sprintf("[]byte %q", v)
	case string:
		return fmt.Sprintf("string %q", v)
	case amqp.Decimal:
		return fmt.Sprintf("amqp.Decimal %de-%d", v.Value, v.Scale)
	case nil:
		return "nil"
	default:
		return fmt.Sprintf("%T %v", v, v)
	}
}
