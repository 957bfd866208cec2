//go:build interop

package interop_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

const instrumented = "Node amqplib, OpenTelemetry"

func TestNodeConsumes(t *testing.T) {
	s := sharedBroker(t)
	for _, relation := range []string{"parent", "link"} {
		queue := s.queue(nil)
		node := start(t, s.url, "node", "amqplib.js", relation)
		published := s.publish("", queue, nil)
		got := node.do("consume", args{"queue": queue})
		traceparent, tracestate := "lost", got.Tracestate
		id := published.SpanContext.SpanID().String()
		switch {
		case got.Span.TraceID == sentTrace && got.Span.ParentID == id:
			traceparent = "parent"
		case len(got.Span.Links) == 1 && got.Span.Links[0].SpanID == id && got.Span.Links[0].TraceID == sentTrace:
			traceparent, tracestate = "link", got.Span.Links[0].Tracestate
		}
		s.saw(traces, instrumented+", "+relation, "from Go", traceparent, lostUnless(tracestate == sent["tracestate"]),
			lostUnless(maps.Equal(got.Baggage, bag)), got.Headers["traceparent"].Type)
	}
}

func TestNodePublishes(t *testing.T) {
	s := sharedBroker(t)
	node := start(t, s.url, "node", "amqplib.js", "parent")
	for _, confirm := range []bool{false, true} {
		for _, relation := range []amqptrace.Relation{amqptrace.ContinueTrace, amqptrace.NewTrace} {
			queue := s.queue(nil)
			published := node.do("publish", args{"key": queue, "context": sent, "confirm": confirm})
			if published.Span.TraceID != sentTrace || published.Span.ParentID != sentSpan {
				t.Errorf("Node's own span is %+v", published.Span)
			}
			got := s.consume(queue, ack, amqptrace.WithRelation(relation))
			client := instrumented + map[bool]string{false: "", true: ", confirm channel"}[confirm]
			traceparent, tracestate, tags, kind := got.survived(spanID(t, published.Span.SpanID))
			direction := "to Go"
			if traceparent == "link" {
				direction = "to Go, `NewTrace`"
			}
			s.saw(traces, client, direction, traceparent, tracestate, tags, kind)
		}
	}
}

// deadLettered declares a queue whose dead letters go to a second one.
func (s *scene) deadLettered() (queue, dead string) {
	dead = s.queue(nil)
	return s.queue(amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}), dead
}

// What Node does with our message, what its span says, and what we see afterwards.
func TestNodeSettles(t *testing.T) {
	s := sharedBroker(t)
	node := start(t, s.url, "node", "amqplib.js", "parent")
	for _, settle := range []string{"ack", "nack", "reject", "requeue"} {
		queue, dead := s.deadLettered()
		published := s.publish("", queue, nil)
		got := node.do("consume", args{"queue": queue, "settle": settle})
		next, after := "", "gone"
		switch settle {
		case "nack", "reject":
			next, after = dead, "dead-lettered"
		case "requeue":
			next, after = queue, "redelivered"
		default:
		}
		if next == "" {
			if d, ok, err := s.ch.Get(queue, true); ok || err != nil {
				t.Errorf("%v is still there, %v", d, err)
			}
		} else {
			again := s.consume(next, ack)
			parent, _, _, _ := again.survived(published.SpanContext.SpanID())
			attrs := attributes(again.span.Attributes)
			if parent != "parent and link" || attrs["mqtrace.attempt"] != int64(map[string]int{"requeue": 2}[settle]) && settle == "requeue" {
				t.Errorf("after %s: %s, %v", settle, parent, attrs)
			}
			if settle != "requeue" && attrs["mqtrace.dead_letter.count"] != int64(1) {
				t.Errorf("after %s: %v", settle, attrs)
			}
		}
		s.saw(settlements, settle, "Node", got.Span.Status, dash(got.Span.StatusText), after)
	}
}

// The other way round.
func TestNodeIsSettled(t *testing.T) {
	s := sharedBroker(t)
	node := start(t, s.url, "node", "amqplib.js", "parent")
	for settle, do := range map[string]func(amqp.Delivery) error{
		"ack":     ack,
		"nack":    func(d amqp.Delivery) error { return d.Nack(false, false) },
		"reject":  func(d amqp.Delivery) error { return d.Reject(false) },
		"requeue": func(d amqp.Delivery) error { return d.Nack(false, true) },
	} {
		queue, dead := s.deadLettered()
		published := node.do("publish", args{"key": queue, "context": sent, "confirm": true})
		got := s.consume(queue, do)
		attrs := attributes(got.span.Attributes)
		if attrs["mqtrace.settlement"] != settle {
			t.Errorf("settlement of %s: %v", settle, attrs)
		}
		after := "gone"
		if settle != "ack" {
			next := map[string]string{"requeue": queue}[settle]
			after = "redelivered"
			if next == "" {
				next, after = dead, "dead-lettered"
			}
			s.await(next)
			again := node.do("consume", args{"queue": next})
			// RabbitMQ 4.3 counts a reject as a failed delivery, also on the dead letter.
			redelivered := settle == "requeue" || settle == "reject" && s.release >= "4.3"
			if again.Span.TraceID != sentTrace || again.Span.ParentID != published.Span.SpanID || again.Redelivered != redelivered {
				t.Errorf("after %s: %+v", settle, again)
			}
		} else if d, ok, err := s.ch.Get(queue, true); ok || err != nil {
			t.Errorf("%v is still there, %v", d, err)
		}
		s.saw(settlements, settle, "Go", strings.ToUpper(got.span.Status.Code.String()), dash(got.span.Status.Description), after)
	}
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// The names of the attributes that the two set for a message, published and processed once
// by each.
func TestNodeAttributes(t *testing.T) {
	s := sharedBroker(t)
	node := start(t, s.url, "node", "amqplib.js", "parent")
	queue := s.queue(nil)
	properties := args{"messageId": "m1", "correlationId": "c1"}
	theirs := map[string]nodeSpan{"publish": node.do("publish", args{"key": queue, "properties": properties}).Span}
	theirs["process"] = node.do("consume", args{"queue": queue}).Span
	ours := map[string]map[string]any{"publish": attributes(s.publish("", queue, nil).Attributes)}
	ours["process"] = attributes(s.consume(queue, ack).span.Attributes)
	var rows []string
	for _, operation := range []string{"publish", "process"} {
		rows = slices.AppendSeq(rows, maps.Keys(theirs[operation].Attributes))
		rows = slices.AppendSeq(rows, maps.Keys(ours[operation]))
	}
	slices.Sort(rows)
	for _, key := range slices.Compact(rows) {
		s.saw(spanAttributes, "`"+key+"`",
			having(key, theirs["publish"].Attributes, theirs["process"].Attributes), having(key, ours["publish"], ours["process"]))
	}
}

// having returns the spans that have an attribute.
func having(key string, publish, process map[string]any) string {
	_, published := publish[key]
	_, processed := process[key]
	switch {
	case published && processed:
		return "both"
	case published:
		return "publish"
	case processed:
		return "process"
	default:
		return "–"
	}
}
