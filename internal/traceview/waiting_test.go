package traceview_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// ago returns a span of a trace that ended the given time ago.
func ago(s spans.Span, trace uint64, ended time.Duration) spans.Span {
	s.TraceID = sample.TraceID(trace)
	s.End = time.Now().Add(-ended)
	s.Start = s.End.Add(-time.Millisecond)

	return s
}

// Three orders that nobody consumes must not look healthy.
func TestNotConsumed(t *testing.T) {
	enqueue := func(trace uint64) spans.Span {
		s := sample.Span(1, 0, "shop", "enqueue emails", sample.Producer, 0, 0)
		s = sample.With(sample.With(s, "messaging.system", "asynq"), "messaging.destination.name", "emails")

		return ago(s, trace, 101*time.Second)
	}
	// The consumer of the second has its own trace, the third failed to publish, and the
	// fourth is a reply.
	process := ago(sample.Linked(sample.Span(2, 0, "worker", "process emails", sample.Consumer, 0, 0),
		spans.Link{TraceID: sample.TraceID(2), SpanID: sample.SpanID(1)}), 9, 50*time.Second)
	failed := sample.Fail(enqueue(3), "no", "returned")
	reply := sample.With(ago(sample.Span(1, 0, "shop", "publish", sample.Producer, 0, 0), 4, time.Minute),
		"messaging.destination.name", "amq.rabbitmq.reply-to.abc")

	kept := traceview.NewStore(traceview.Limits{})
	kept.Add(enqueue(1), enqueue(2), process, failed, reply)
	h := traceview.NewHandler(kept)

	list := getJSON[struct{ Traces []tree.Summary }](t, h, "/api/traces")
	for _, s := range list.Traces {
		if want := map[bool]int{true: 1}[s.ID == sample.TraceID(1).String()]; s.NotConsumed != want {
			t.Errorf("%s: %d not consumed, want %d", s.ID, s.NotConsumed, want)
		}
	}

	if got := getJSON[listAnswer](t, h, "/api/traces?q=is:waiting+waited%3E1m"); got.Found != 1 || got.Traces[0].ID != sample.TraceID(1).String() {
		t.Errorf("%+v", got)
	}

	row := waterfallOf(t, h, spans.Trace{ID: sample.TraceID(1)}).Rows[0]
	if row.badges() != "not consumed for 1m41s/odd" && row.badges() != "not consumed for 1m42s/odd" {
		t.Errorf("%s", row.badges())
	}

	tr, _ := kept.Trace(sample.TraceID(1))

	var out strings.Builder
	if err := terminal.WriteTree(&out, tr, terminal.Options{Now: tr.Spans[0].End.Add(101 * time.Second)}); err != nil || !strings.Contains(out.String(), "not consumed for 1m41s") ||
		!strings.Contains(out.String(), "1 message not consumed") {
		t.Errorf("%s", out.String())
	}

	// Once it is consumed, it is no longer reported.
	kept.Add(ago(sample.Span(3, 1, "worker", "process emails", sample.Consumer, 0, 0), 1, 0))

	if got := getJSON[listAnswer](t, h, "/api/traces?q=is:waiting"); got.Found != 0 {
		t.Errorf("%+v", got)
	}

	if w := get(h, "/api/traces?q=waited%3Esoon"); w.Code != 400 || !strings.Contains(w.Body.String(), "a duration such as") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
