package peek_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// A queue has all of its messages afterwards, in order. Those that were shown are marked as
// redelivered, which the next peek counts as an attempt.
func TestAMQPLeavesMessages(t *testing.T) {
	const messages = 5
	stopped := make(chan struct{})
	close(stopped)
	onBroker(t, func(t *testing.T, s *scene) {
		for i := range messages {
			s.publish("", s.queue, amqp.Publishing{MessageId: fmt.Sprint(i)})
		}
		if got, err := read(t, s.open(messages, peek.Options{Done: stopped}), messages); err != nil || len(got) > 0 {
			t.Errorf("stopped before: %d messages, %v", len(got), err)
		}
		seen := 0
		for _, tt := range []struct{ limit, want int }{{-1, 0}, {0, 0}, {2, 2}, {3, 3}, {5, 5}, {math.MaxInt, 5}} {
			got, err := read(t, s.open(messages, peek.Options{}), tt.limit)
			if err != nil || len(got) != tt.want {
				t.Fatalf("limit %d: %d messages, %v", tt.limit, len(got), err)
			}
			for i, m := range got {
				if m.Position != i+1 || m.ID != fmt.Sprint(i) || m.Redelivered != (i < seen) || m.Attempts > 0 != m.Redelivered {
					t.Errorf("limit %d, message %d: %+v %+v", tt.limit, i, m, m.Delivery)
				}
			}
			seen = max(seen, tt.want)
		}
		for m := range s.open(messages, peek.Options{}).Messages(messages) { // stopping early returns the messages, too
			if m.Position == 2 {
				break
			}
		}
		s.open(messages, peek.Options{})
		for i := range messages {
			if d, found, err := s.ch.Get(s.queue, true); err != nil || !found || d.MessageId != fmt.Sprint(i) {
				t.Errorf("message %d is %q, %v, %v", i, d.MessageId, found, err)
			}
		}
	})
}

func TestAMQPMessage(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	opts := peek.Options{Now: func() time.Time { return now }, TraceURL: "http://x/{trace_id}/{span_id}/{trace_id}", BaggageValues: true}
	type table = amqp.Table
	sentAt := func(at time.Time) table { return table{"mqtrace-sent-at": fmt.Sprint(at.UnixMicro())} }
	age := func(d time.Duration) *float64 { s := d.Seconds(); return &s }
	first := now.Add(-time.Hour)
	yes, no := true, false
	tests := map[string]struct {
		msg  amqp.Publishing
		want func(m *peek.Message)
	}{
		"nothing": {amqp.Publishing{}, func(*peek.Message) {}},
		"properties": {amqp.Publishing{AppId: "shop", MessageId: "m", Type: "t", CorrelationId: "c", Body: []byte{0, 255}}, func(m *peek.Message) {
			m.Producer, m.ID, m.Type, m.CorrelationID, m.BodyBytes = "shop", "m", "t", "c", 2
		}},
		"large": {amqp.Publishing{Body: make([]byte, 1<<18)}, func(m *peek.Message) { m.BodyBytes = 1 << 18 }},
		"sampled": {amqp.Publishing{Headers: table{"TraceParent": parentA, "baggage": "b=%41,a=1"}}, func(m *peek.Message) {
			m.Context, m.TraceID, m.ParentSpanID, m.Sampled = tracecontext.OK, traceA, spanA, &yes
			m.Link = "http://x/" + traceA + "/" + spanA + "/" + traceA
			m.BaggageKeys, m.Baggage = []string{"a", "b"}, map[string]string{"a": "1", "b": "A"}
		}},
		"not sampled": {amqp.Publishing{Headers: table{"traceparent": []byte(parentA[:54] + "0")}}, func(m *peek.Message) {
			m.Context, m.TraceID, m.ParentSpanID, m.Sampled = tracecontext.OK, traceA, spanA, &no
			m.Link = "http://x/" + traceA + "/" + spanA + "/" + traceA
		}},
		"bad context":     {amqp.Publishing{Headers: table{"traceparent": hostile}}, func(m *peek.Message) { m.Context = tracecontext.Bad }},
		"header's age":    {amqp.Publishing{Headers: sentAt(now.Add(-90 * time.Second)), Timestamp: now}, func(m *peek.Message) { m.Age = age(90 * time.Second) }},
		"timestamp":       {amqp.Publishing{Headers: table{"mqtrace-sent-at": "-1"}, Timestamp: first}, func(m *peek.Message) { m.Age = age(time.Hour) }},
		"clock ahead":     {amqp.Publishing{Timestamp: now.Add(time.Hour)}, func(m *peek.Message) { m.Age = age(0) }},
		"far ahead":       {amqp.Publishing{Timestamp: time.Unix(1<<40, 0)}, func(*peek.Message) {}},
		"since the epoch": {amqp.Publishing{Headers: table{"mqtrace-sent-at": "1"}}, func(*peek.Message) {}},
		"before 1970":     {amqp.Publishing{Timestamp: time.Unix(-1000, 0)}, func(*peek.Message) {}},
		"of 1975":         {amqp.Publishing{Timestamp: time.Unix(160_000_000, 0)}, func(*peek.Message) {}},
		"in milliseconds": {amqp.Publishing{Headers: table{"mqtrace-sent-at": "1700000000000"}}, func(*peek.Message) {}},
		"dead letter": {amqp.Publishing{Headers: table{"x-death": []any{
			table{"queue": "retry", "reason": "expired", "count": int64(2), "time": first, "exchange": "x", "routing-keys": []any{"k", "l"}},
			table{},
		}}}, func(m *peek.Message) {
			m.DeadLettered, m.DeadLetters = 2, []peek.DeadLetter{
				{Queue: "retry", Reason: "expired", Count: 2, Exchange: "x", RoutingKey: "k", First: &first},
			}
		}},
		// JSON has no times beyond the year 9999.
		"dies in the far future": {amqp.Publishing{Headers: table{"x-death": []any{table{"time": time.Unix(1<<40, 0)}}}}, func(m *peek.Message) {
			m.DeadLettered, m.DeadLetters = 1, []peek.DeadLetter{{Count: 1}}
		}},
	}
	onBroker(t, func(t *testing.T, s *scene) {
		for name, tt := range tests {
			s.publish("", s.queue, tt.msg)
			got, err := read(t, s.open(1, opts), 1)
			ok(t, err)
			want := peek.Message{Position: 1, Context: tracecontext.None, Producer: s.queue, Delivery: &peek.Delivery{RoutingKey: s.queue}}
			tt.want(&want)
			want.ContextError = got[0].ContextError
			if !reflect.DeepEqual(got[0], want) || (want.ContextError != "") != (want.Context == tracecontext.Bad) {
				t.Errorf("%s:\ngot  %+v %+v\nwant %+v %+v", name, got[0], got[0].Delivery, want, want.Delivery)
			}
			if d, err := printJSON(t, s.open(1, opts), 1); err != nil || len(d.Messages) != 1 {
				t.Errorf("%s: printed %d messages, %v", name, len(d.Messages), err)
			}
			s.open(1, opts)
			_, err = s.ch.QueuePurge(s.queue, false)
			ok(t, err)
		}
	})
}

// A producer without a name is identified by where it publishes.
func TestAMQPProducer(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		x := unique()
		ok(t, s.ch.ExchangeDeclare(x, "fanout", false, false, false, false, nil))
		defer func() { ok(t, s.ch.ExchangeDelete(x, false, false)) }()
		ok(t, s.ch.QueueBind(s.queue, "", x, false, nil))
		want := []string{x, x + ":k"}
		for _, key := range []string{"", "k"} {
			s.publish(x, key, amqp.Publishing{})
		}
		got, err := read(t, s.open(len(want), peek.Options{}), len(want))
		ok(t, err)
		for i, m := range got {
			if m.Producer != want[i] || m.Exchange != x {
				t.Errorf("%+v %+v, want %s", m, m.Delivery, want[i])
			}
		}
	})
}

// Headers are the sender's to write: of whatever type they are, each message is shown.
func TestAMQPHostileHeaders(t *testing.T) {
	values := []any{
		nil, true, byte(1), int8(-1), int16(-1), int32(-1), int64(math.MinInt64), float32(1), 1e300, amqp.Decimal{Scale: 255, Value: -1},
		hostile, strings.Repeat("\xff", 10_000), []byte(hostile), time.Unix(1<<40, 0), amqp.Table{"evil": hostile}, []any{nil, []any{amqp.Table{}}},
	}
	onBroker(t, func(t *testing.T, s *scene) {
		for _, v := range values {
			s.publish("", s.queue, amqp.Publishing{AppId: hostile, MessageId: hostile, Type: hostile, CorrelationId: hostile, Headers: amqp.Table{
				"traceparent": v, "TRACEPARENT": v, "tracestate": v, "baggage": v, "mqtrace-sent-at": v, "x-death": v, hostile: v,
			}})
			death := amqp.Table{"queue": v, "reason": v, "count": v, "time": v, "exchange": v, "routing-keys": []any{v}}
			s.publish("", s.queue, amqp.Publishing{Headers: amqp.Table{"traceparent": parentA, "x-death": []any{v, death, death}}})
		}
		source := s.open(2*len(values), peek.Options{BaggageValues: true, TraceURL: hostile + "{trace_id}"})
		d, err := printJSON(t, source, 1000)
		if err != nil || len(d.Messages) != 2*len(values) || d.Summary.WithContext != len(values) {
			t.Errorf("%d messages, summary %+v, %v", len(d.Messages), d.Summary, err)
		}
		for _, width := range []int{-1, 0, 1, 20, 80, 200} {
			var out bytes.Buffer
			ok(t, peek.Print(&out, s.open(2*len(values), peek.Options{}), 1000, peek.Format{System: peek.SystemRabbitMQ, Width: width}))
			wantHarmless(t, out.String())
		}
	})
}

func TestAMQPErrors(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		var refused *amqp.Error
		if _, err := peek.OpenAMQP(s.conn, s.queue+"-none", false, peek.Options{}); !errors.As(err, &refused) || refused.Code != amqp.NotFound {
			t.Errorf("no queue: %v", err)
		}
		others, err := s.ch.QueueDeclare(unique(), false, false, true, false, nil)
		ok(t, err)
		if _, err := peek.OpenAMQP(s.conn, others.Name, false, peek.Options{}); !errors.As(err, &refused) || refused.Code != amqp.ResourceLocked {
			t.Errorf("another's exclusive queue: %v", err)
		}
		_, err = s.ch.Consume(s.queue, "", false, false, false, false, nil)
		ok(t, err)
		source := s.open(0, peek.Options{})
		if n := source.Consumers(); n != 1 {
			t.Errorf("%d consumers", n)
		}
		_, err = s.ch.QueueDelete(s.queue, false, false, false)
		ok(t, err)
		if got, err := read(t, source, 1); len(got) > 0 || !errors.As(err, &refused) || refused.Code != amqp.NotFound {
			t.Errorf("deleted meanwhile: %d messages, %v", len(got), err)
		}
		ok(t, s.conn.Close())
		if _, err := peek.OpenAMQP(s.conn, s.queue, false, peek.Options{}); !errors.Is(err, amqp.ErrClosed) {
			t.Errorf("no connection: %v", err)
		}
		if got, err := read(t, source, 1); len(got) > 0 || !errors.Is(err, amqp.ErrClosed) {
			t.Errorf("no connection: %d messages, %v", len(got), err)
		}
	})
}

// A connection lost in between gives one error, after the messages read so far, and none if
// the caller has stopped before.
func TestAMQPConnectionLost(t *testing.T) {
	const method, closeChannel = 1, 20<<16 | 40
	var closing atomic.Pointer[amqpbroker.Broker] // to cut connections when a channel is closed
	b, err := amqpbroker.Start(amqpbroker.WithFrameHook(func(f amqpbroker.Frame) {
		if b := closing.Load(); b != nil && f.FromClient && f.Type == method && binary.BigEndian.Uint32(f.Payload) == closeChannel {
			b.CutConnections()
		}
	}))
	ok(t, err)
	defer b.Close()
	for _, stop := range []bool{false, true} {
		s := newScene(t, b.URL())
		for range 3 {
			s.publish("", s.queue, amqp.Publishing{})
		}
		source, shown := s.open(3, peek.Options{}), 0
		if stop {
			closing.Store(b)
		}
		for _, err = range source.Messages(3) {
			if err != nil || stop {
				break
			}
			shown++
			b.CutConnections()
		}
		closing.Store(nil)
		if lost := !stop; lost != (err != nil) || lost != (shown == 1) {
			t.Errorf("stop %v: %d messages, %v", stop, shown, err)
		}
		newScene(t, b.URL())
	}
}
