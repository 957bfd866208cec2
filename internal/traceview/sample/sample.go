// Package sample provides traces for the viewer's tests.
package sample

import (
	"encoding/binary"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// The ids of traces, and when they start.
var (
	ID      = trace.TraceID{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	OtherID = trace.TraceID{0xcc, 0xdd, 0x01, 0x02, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	Epoch   = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
)

// SpanID returns a span id.
func SpanID(n uint64) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], 0xa0b1000000000000+n<<32)

	return id
}

// Span returns a span that starts and ends the given numbers of milliseconds after Epoch. A
// parent of 0 makes it a root.
func Span(id, parent uint64, service, name string, kind trace.SpanKind, start, end float64) spans.Span {
	s := spans.Span{
		TraceID: ID, SpanID: SpanID(id),
		Name: name, Kind: kind, Service: service,
		Start: Epoch.Add(time.Duration(start * float64(time.Millisecond))),
		End:   Epoch.Add(time.Duration(end * float64(time.Millisecond))),
	}
	if parent != 0 {
		s.ParentID = SpanID(parent)
	}

	return s
}

// LinkTo returns a link to a span of the sample trace.
func LinkTo(id uint64) spans.Link {
	return spans.Link{TraceID: ID, SpanID: SpanID(id)}
}

// Fail marks a span as failed.
func Fail(s spans.Span, message, errorType string) spans.Span {
	s.Status = spans.Status{Code: codes.Error, Message: message}
	s.Attributes = append(s.Attributes, spans.Attribute{Key: "error.type", Value: errorType})

	return s
}

// With gives a span an attribute.
func With(s spans.Span, key string, value any) spans.Span {
	s.Attributes = append(s.Attributes, spans.Attribute{Key: key, Value: value})

	return s
}

// Linked gives a span links.
func Linked(s spans.Span, links ...spans.Link) spans.Span {
	s.Links = append(s.Links, links...)

	return s
}

// Kinds of spans.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer
	Client   = trace.SpanKindClient
	Producer = trace.SpanKindProducer
	Consumer = trace.SpanKindConsumer
)

// Order is the trace of an order whose email needs a second attempt.
func Order() spans.Trace {
	return spans.Trace{ID: ID, Spans: []spans.Span{
		Span(1, 0, "order-api", "POST /orders", Server, 0, 48.2),
		Span(2, 1, "order-api", "check inventory", Internal, 1.1, 4.1),
		Span(3, 1, "order-api", "charge payment", Internal, 4.3, 27.9),
		Span(4, 3, "order-api", "POST", Client, 4.5, 27.8),
		Span(5, 4, "payment", "POST /charge", Server, 6.2, 26.9),
		Span(6, 1, "order-api", "publish orders", Producer, 28.4, 46.7),
		Linked(Span(7, 6, "notification", "process order-notifications", Consumer, 352.1, 365.5), LinkTo(6)),
		Span(8, 7, "notification", "enqueue emails", Producer, 353.0, 355.2),
		With(Fail(Linked(With(Span(9, 8, "email-worker", "process emails", Consumer, 401.7, 452.9),
			"asynq.task.retry_count", int64(0)), LinkTo(8)),
			"smtp: 421 4.7.0 try again later", "*smtp.Error"), "asynq.task.outcome", "retry"),
		With(Linked(With(Span(10, 8, "email-worker", "process emails", Consumer, 1454.0, 1498.6),
			"asynq.task.retry_count", int64(1)), LinkTo(8)), "tenant.id", "acme"),
	}}
}

// Odd returns a trace with one of everything that can be odd about a trace.
func Odd() spans.Trace {
	elsewhere := spans.Link{TraceID: OtherID, SpanID: SpanID(99)}
	batch := Span(30, 1, "audit", "process audit", Consumer, 60, 64)

	for id := uint64(21); id <= 26; id++ {
		batch.Links = append(batch.Links, LinkTo(id))
	}

	unended := Span(31, 0, "", "", trace.SpanKindUnspecified, 0, 0)
	unended.Start, unended.End, unended.DroppedLinks = time.Time{}, time.Time{}, 2

	rejected := With(With(Linked(Span(12, 11, "billing", "process orders", Consumer, 15, 16), LinkTo(11)),
		"messaging.operation.name", "process"), "mqtrace.settlement", "reject")
	buried := With(With(Span(13, 11, "undertaker", "process orders.dead", Consumer, 40, 41),
		"mqtrace.dead_letter.count", int64(1)), "mqtrace.dead_letter.reasons", []any{"rejected"})

	return spans.Trace{ID: ID, Dropped: 7, Spans: []spans.Span{
		Linked(Span(1, 0, "注文サービス", "POST /orders\x1b[31m\x07 \u202eevil", Server, 0, 50), elsewhere), //nolint:gosmopolitan // Tests text in other scripts.
		Span(11, 1, "注文サービス", "publish orders", Producer, 5, 9),                                       //nolint:gosmopolitan // Tests text in other scripts.
		Fail(rejected, "", "rejected"),
		buried,
		Span(14, 11, "billing", "process invoices", Consumer, 6, 20),                    // before the confirm
		Linked(Span(15, 1, "reports", "process reports", Consumer, 30, 31), LinkTo(11)), // under an ambient span
		Span(16, 1, "skewed", "GET /stock", Server, -2.5, 3),
		batch,
		Span(18, 17, "b", "orphan", Internal, 70, 71),
		Fail(Span(19, 17, "b", "another orphan with a name that is far too long to fit into any column at all", Internal, 72, 90),
			"a message that goes on and on, with words enough to need more than a line of the terminal, and then more words than three lines of it can hold, so that it has to be cut somewhere near here, or here, or at the latest here, where there is none left", "E"),
		Span(27, 28, "b", "loop a", Internal, 80, 81),
		Span(28, 27, "b", "loop b", Internal, 80.5, 80.7),
		Span(29, 29, "b", "own parent", Internal, 82, 83),
		unended,
		With(Span(32, 0, "late", "process elsewhere", Consumer, 85, 86), "mqtrace.queue_time", 0.035),
		Span(18, 1, "b", "a duplicate id", Internal, 0, 1),
		Span(21, 1, "注文サービス", "publish audit", Producer, 10, 11), //nolint:gosmopolitan // Tests text in other scripts.
	}}
}

// Nano returns a time in nanoseconds since 1970.
func Nano(n int64) time.Time { return time.Unix(0, n).UTC() }

// TraceID returns a trace id.
func TraceID(n uint64) (id trace.TraceID) {
	binary.BigEndian.PutUint64(id[:], 1)
	binary.BigEndian.PutUint64(id[8:], n)

	return id
}

// SpanOf returns a span of a trace.
func SpanOf(traceNumber, n uint64) spans.Span {
	s := Span(n, 0, "svc", "span", Internal, 0, 1)
	s.TraceID = TraceID(traceNumber)

	return s
}

// Chain returns a trace in which each span is the child of the one before.
func Chain(n uint64) spans.Trace {
	tr := spans.Trace{ID: ID}
	for i := range n {
		tr.Spans = append(tr.Spans, Span(i+1, i, "svc", "step", Internal, float64(i), float64(n)))
	}

	return tr
}
