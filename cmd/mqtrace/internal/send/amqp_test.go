package send_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/send"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// A message arrives as it was given, whatever the types of its headers, with the context
// that is returned to the caller. This works for a nil table, too.
func TestAMQP(t *testing.T) {
	every := amqp.Table{
		"nil": nil, "bool": true, "int8": int8(-8), "int16": int16(-16), "int32": int32(-32), "int64": int64(math.MinInt64),
		"float32": float32(0.5), "float64": 1e300, "decimal": amqp.Decimal{Scale: 2, Value: 314}, "time": time.Unix(1<<33, 0),
		"text": "\x00\xff\x1b", "bytes": []byte{0, 255}, "table": amqp.Table{"in": amqp.Table{"it": int64(1)}}, "list": []any{"a", nil, []any{int8(1)}},
		strings.Repeat("n", 255): strings.Repeat("v", 50_000),
	}
	onBroker(t, func(t *testing.T, s *scene) {
		conn, queue := s.dial(), s.declare(nil)
		for name, msg := range map[string]amqp.Publishing{
			"nothing": {},
			"large":   {Body: []byte(strings.Repeat("\xff\x00", 1<<18)), DeliveryMode: amqp.Persistent},
			"every":   {Headers: every, MessageId: "\xff\xfe", Body: []byte("\xff")},
		} {
			for _, provider := range []trace.TracerProvider{sdktrace.NewTracerProvider(), noop.NewTracerProvider()} {
				for _, confirm := range []bool{true, false} {
					msg.Headers = maps.Clone(msg.Headers)
					span, err := send.AMQP(within(t), conn, provider, send.Message{Key: queue, Mandatory: true, Confirm: confirm, Publishing: msg})
					ok(t, err)
					d, found, err := s.ch.Get(queue, true)
					if err != nil || !found {
						t.Fatalf("%s, confirm %v: not there, %v", name, confirm, err)
					}
					c := tracecontext.Read(d.Headers)
					_, isNoop := provider.(noop.TracerProvider)
					if !c.Span.Equal(span.WithRemote(true)) || span.TraceID() != parent.TraceID() || (span.SpanID() == parent.SpanID()) != isNoop ||
						len(c.Baggage) != 1 || d.Headers["mqtrace-sent-at"] == nil {
						t.Errorf("%s, confirm %v: span %+v, headers %v", name, confirm, span, d.Headers)
					}
					maps.DeleteFunc(d.Headers, func(k string, _ any) bool { _, given := msg.Headers[k]; return !given })
					if string(d.Body) != string(msg.Body) || d.MessageId != msg.MessageId || d.DeliveryMode != msg.DeliveryMode ||
						len(d.Headers)+len(msg.Headers) > 0 && !reflect.DeepEqual(d.Headers, msg.Headers) {
						t.Errorf("%s, confirm %v: %d bytes, %.2000v", name, confirm, len(d.Body), d.Headers)
					}
				}
			}
		}
		if span, err := send.AMQP(t.Context(), conn, noop.NewTracerProvider(), send.Message{Key: queue, Confirm: true}); err != nil || span.IsValid() {
			t.Errorf("no trace: %+v, %v", span, err)
		}
	})
}

// The context is that of the message given to the broker, even if it was refused.
func TestAMQPErrors(t *testing.T) {
	code := func(code int) func(error) bool {
		return func(err error) bool { var e *amqp.Error; return errors.As(err, &e) && e.Code == code }
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	onBroker(t, func(t *testing.T, s *scene) {
		full := s.declare(amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		for name, tt := range map[string]struct {
			ctx    context.Context
			m      send.Message
			want   func(error) bool
			given  bool
			goesOn bool // the connection
		}{
			"unroutable":            {nil, send.Message{Key: unique(), Mandatory: true, Confirm: true}, is(amqptrace.ErrReturned), true, true},
			"nobody asks":           {nil, send.Message{Key: unique(), Confirm: true}, is(nil), true, true},
			"nobody listens":        {nil, send.Message{Key: unique(), Mandatory: true}, is(nil), true, true},
			"no exchange":           {nil, send.Message{Exchange: unique(), Confirm: true}, code(amqp.NotFound), true, true},
			"no exchange, unwaited": {nil, send.Message{Exchange: unique()}, code(amqp.NotFound), true, true},
			"full":                  {nil, send.Message{Key: full, Confirm: true}, is(amqptrace.ErrNacked), true, true},
			"not AMQP's type":       {nil, send.Message{Key: full, Publishing: amqp.Publishing{Headers: amqp.Table{"h": struct{}{}}}}, func(err error) bool { return err != nil }, false, true},
			"too long":              {nil, send.Message{Key: strings.Repeat("k", 256)}, func(err error) bool { return err != nil }, false, false},
			"too long, waited":      {nil, send.Message{Publishing: amqp.Publishing{AppId: strings.Repeat("k", 256)}, Confirm: true}, func(err error) bool { return err != nil }, false, false},
			"canceled before":       {canceled, send.Message{Key: full, Confirm: true}, is(context.Canceled), false, false},
			"canceled, unwaited":    {canceled, send.Message{Key: full}, is(context.Canceled), false, false},
		} {
			ctx, conn := tt.ctx, s.dial()
			if ctx == nil {
				ctx = t.Context()
			}
			span, err := send.AMQP(ctx, conn, sdktrace.NewTracerProvider(), tt.m)
			if !tt.want(err) || span.IsValid() != tt.given {
				t.Errorf("%s: span %v, %v", name, span.IsValid(), err)
			}
			if tt.goesOn {
				_, err := conn.Channel()
				ok(t, err)
			}
		}
		conn := s.dial()
		ok(t, conn.Close())
		if span, err := send.AMQP(t.Context(), conn, sdktrace.NewTracerProvider(), send.Message{Key: full}); !errors.Is(err, amqp.ErrClosed) || span.IsValid() {
			t.Errorf("closed: %v, %v", span, err)
		}
	})
}

// Neither a broker that blocks publishers nor a lost connection answers.
func TestAMQPUnanswered(t *testing.T) {
	b, err := amqpbroker.Start()
	ok(t, err)
	defer b.Close()
	s := newScene(t, b.URL())
	for _, confirm := range []bool{false, true} {
		for name, end := range map[string]func(cancel func()){
			"canceled": func(cancel func()) { cancel() },
			"lost":     func(func()) { b.CutConnections() },
		} {
			b.BlockPublishers("low on memory")
			conn := s.dial()
			blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 1))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				_, err := send.AMQP(ctx, conn, sdktrace.NewTracerProvider(), send.Message{Key: "q", Confirm: confirm})
				done <- err
			}()
			<-blocked
			end(cancel)
			select {
			case err = <-done:
			case <-time.After(patience):
				t.Errorf("%s, confirm %v: it hangs", name, confirm)
			}
			// Its confirmation may have come before.
			if !confirm && (err == nil || errors.Is(err, context.Canceled) != (name == "canceled")) {
				t.Errorf("%s: %v", name, err)
			}
			b.UnblockPublishers()
			cancel()
		}
	}
}
