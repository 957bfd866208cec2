package traceview_test

import (
	"encoding/binary"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

var (
	sampleID = trace.TraceID{0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	otherID  = trace.TraceID{0xcc, 0xdd, 0x01, 0x02, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36}
	epoch    = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
)

func spanID(n uint64) (id trace.SpanID) {
	binary.BigEndian.PutUint64(id[:], 0xa0b1000000000000+n<<32)

	return id
}

// spanAt makes a span that starts and ends so many milliseconds after epoch.
// A parent of 0 makes it a root.
func spanAt(id, parent uint64, service, name string, kind trace.SpanKind, start, end float64) traceview.Span {
	s := traceview.Span{
		TraceID: sampleID, SpanID: spanID(id),
		Name: name, Kind: kind, Service: service,
		Start: epoch.Add(time.Duration(start * float64(time.Millisecond))),
		End:   epoch.Add(time.Duration(end * float64(time.Millisecond))),
	}
	if parent != 0 {
		s.ParentID = spanID(parent)
	}

	return s
}

func linkTo(id uint64) traceview.Link {
	return traceview.Link{TraceID: sampleID, SpanID: spanID(id)}
}

func fail(s traceview.Span, message, errorType string) traceview.Span {
	s.Status = traceview.Status{Code: codes.Error, Message: message}
	s.Attributes = append(s.Attributes, traceview.Attribute{Key: "error.type", Value: errorType})

	return s
}

func with(s traceview.Span, key string, value any) traceview.Span {
	s.Attributes = append(s.Attributes, traceview.Attribute{Key: key, Value: value})

	return s
}

func linked(s traceview.Span, links ...traceview.Link) traceview.Span {
	s.Links = append(s.Links, links...)

	return s
}

const (
	internal = trace.SpanKindInternal
	server   = trace.SpanKindServer
	client   = trace.SpanKindClient
	producer = trace.SpanKindProducer
	consumer = trace.SpanKindConsumer
)

// orderTrace is the trace of an order whose email needs a second attempt.
func orderTrace() traceview.Trace {
	return traceview.Trace{ID: sampleID, Spans: []traceview.Span{
		spanAt(1, 0, "order-api", "POST /orders", server, 0, 48.2),
		spanAt(2, 1, "order-api", "check inventory", internal, 1.1, 4.1),
		spanAt(3, 1, "order-api", "charge payment", internal, 4.3, 27.9),
		spanAt(4, 3, "order-api", "POST", client, 4.5, 27.8),
		spanAt(5, 4, "payment", "POST /charge", server, 6.2, 26.9),
		spanAt(6, 1, "order-api", "publish orders", producer, 28.4, 46.7),
		linked(spanAt(7, 6, "notification", "process order-notifications", consumer, 352.1, 365.5), linkTo(6)),
		spanAt(8, 7, "notification", "enqueue emails", producer, 353.0, 355.2),
		with(fail(linked(with(spanAt(9, 8, "email-worker", "process emails", consumer, 401.7, 452.9),
			"asynq.task.retry_count", int64(0)), linkTo(8)),
			"smtp: 421 4.7.0 try again later", "*smtp.Error"), "asynq.task.outcome", "retry"),
		with(linked(with(spanAt(10, 8, "email-worker", "process emails", consumer, 1454.0, 1498.6),
			"asynq.task.retry_count", int64(1)), linkTo(8)), "tenant.id", "acme"),
	}}
}

// oddTrace has one of everything that can be odd about a trace.
func oddTrace() traceview.Trace {
	elsewhere := traceview.Link{TraceID: otherID, SpanID: spanID(99)}
	batch := spanAt(30, 1, "audit", "process audit", consumer, 60, 64)

	for id := uint64(21); id <= 26; id++ {
		batch.Links = append(batch.Links, linkTo(id))
	}

	unended := spanAt(31, 0, "", "", trace.SpanKindUnspecified, 0, 0)
	unended.Start, unended.End, unended.DroppedLinks = time.Time{}, time.Time{}, 2

	rejected := with(with(linked(spanAt(12, 11, "billing", "process orders", consumer, 15, 16), linkTo(11)),
		"messaging.operation.name", "process"), "mqtrace.settlement", "reject")
	buried := with(with(spanAt(13, 11, "undertaker", "process orders.dead", consumer, 40, 41),
		"mqtrace.dead_letter.count", int64(1)), "mqtrace.dead_letter.reasons", []any{"rejected"})

	return traceview.Trace{ID: sampleID, Dropped: 7, Spans: []traceview.Span{
		linked(spanAt(1, 0, "注文サービス", "POST /orders\x1b[31m\x07 \u202eevil", server, 0, 50), elsewhere),
		spanAt(11, 1, "注文サービス", "publish orders", producer, 5, 9),
		fail(rejected, "", "rejected"),
		buried,
		spanAt(14, 11, "billing", "process invoices", consumer, 6, 20),                    // before the confirm
		linked(spanAt(15, 1, "reports", "process reports", consumer, 30, 31), linkTo(11)), // under an ambient span
		spanAt(16, 1, "skewed", "GET /stock", server, -2.5, 3),
		batch,
		spanAt(18, 17, "b", "orphan", internal, 70, 71),
		fail(spanAt(19, 17, "b", "another orphan with a name that is far too long to fit into any column at all", internal, 72, 90),
			"a message that goes on and on, with words enough to need more than a line of the terminal, and then more words than three lines of it can hold, so that it has to be cut somewhere near here, or here, or at the latest here, where there is none left", "E"),
		spanAt(27, 28, "b", "loop a", internal, 80, 81),
		spanAt(28, 27, "b", "loop b", internal, 80.5, 80.7),
		spanAt(29, 29, "b", "own parent", internal, 82, 83),
		unended,
		with(spanAt(32, 0, "late", "process elsewhere", consumer, 85, 86), "mqtrace.queue_time", 0.035),
		spanAt(18, 1, "b", "a duplicate id", internal, 0, 1),
		spanAt(21, 1, "注文サービス", "publish audit", producer, 10, 11),
	}}
}

func epochNano(n int64) time.Time { return time.Unix(0, n).UTC() }
