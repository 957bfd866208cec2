package traceview_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/queues"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// scheduled returns the span of an enqueue an hour ago of a task that is due at the given
// time.
func scheduled(trace uint64, due time.Time) spans.Span {
	s := sample.Span(1, 0, "shop", "enqueue emails", sample.Producer, 0, 0)
	s = sample.With(sample.With(s, "messaging.system", "asynq"), "messaging.destination.name", "emails")

	return ago(sample.With(s, "mqtrace.due_time", due.UTC().Format(time.RFC3339)), trace, time.Hour)
}

// shows has what list, page and terminal say of the one span of a trace.
func shows(t *testing.T, h http.Handler, tr spans.Trace) string {
	t.Helper()

	var out strings.Builder
	if err := terminal.WriteTree(&out, tr, terminal.Options{}); err != nil {
		t.Fatal(err)
	}

	return waterfallOf(t, h, spans.Trace{ID: tr.ID}).Rows[0].badges() + "\n" + out.String()
}

// A task does not count as waiting until it is due.
func TestDue(t *testing.T) {
	now := time.Now()
	kept := traceview.NewStore(traceview.Limits{})
	kept.Add(scheduled(1, now.Add(5*time.Minute+10*time.Second)), scheduled(2, now.Add(-100*time.Second)), scheduled(3, now.Add(time.Hour)))
	h := traceview.NewHandler(kept)

	list := getJSON[struct{ Traces []tree.Summary }](t, h, "/api/traces")
	for _, s := range list.Traces {
		stuck := s.ID == sample.TraceID(2).String()
		if (s.NotConsumed == 1) != stuck || (s.Scheduled == 1) == stuck || (s.NextDue == nil) != stuck {
			t.Errorf("%+v", s)
		}
	}

	for search, found := range map[string]int{"is:waiting": 1, "is:scheduled": 2, "waiting=emails": 1, "waited>1s": 1, "waited>3m": 0} {
		if got := getJSON[listAnswer](t, h, "/api/traces?q="+search); got.Found != found {
			t.Errorf("%s finds %d, want %d", search, got.Found, found)
		}
	}

	for number, want := range map[uint64][]string{
		1: {"due in 5m", "1 message not due yet"},
		2: {"not consumed for 1m4", " since it was due", "1 message not consumed"},
		3: {"due in ", "1 message not due yet"},
	} {
		tr, _ := kept.Trace(sample.TraceID(number))
		text := shows(t, h, tr)

		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("no %q in\n%s", part, text)
			}
		}

		if scheduled := number != 2; scheduled == strings.Contains(text, "not consumed") || scheduled == strings.Contains(text, "/odd") {
			t.Errorf("%s", text)
		}
	}

	overview := queues.Find(kept.Traces(), now)
	if q := overview.Queues[0]; q.Waiting != 1 || now.Sub(*q.WaitingSince).Round(time.Second) > 101*time.Second || len(q.Traces) != 1 ||
		q.Scheduled != 2 || q.NextDue.Sub(now) > 6*time.Minute {
		t.Errorf("%+v", q)
	}
}

// A processed task has waited only since it was due.
func TestWaitedSinceDue(t *testing.T) {
	due := sample.Epoch.Add(time.Hour)
	for name, tt := range map[string]struct {
		start  float64 // after due, in milliseconds
		waited time.Duration
	}{
		"late":                             {2500, 2500 * time.Millisecond},
		"in the second that it was due in": {-300, 0},
	} {
		start := float64(time.Hour.Milliseconds()) + tt.start
		sent := sample.With(sample.Span(1, 0, "shop", "enqueue emails", sample.Producer, 0, 10), "mqtrace.due_time", due.Format(time.RFC3339))
		tr := spans.Trace{ID: sample.ID, Spans: []spans.Span{
			sent, sample.With(sample.Span(2, 1, "worker", "process emails", sample.Consumer, start, start+10), "mqtrace.queue_time", start/1000),
		}}
		built := tree.New(tr)

		w := built.Order[1].Wait
		if w == nil || w.Duration() != tt.waited || w.Text(built.Order[1], 100) != "waited in emails since it was due" {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

// A task that was refused at the caller's own request does not wait, and the tasks of a
// group are consumed by the task made of them.
func TestNeverWaits(t *testing.T) {
	asynq := func(s spans.Span) spans.Span {
		return sample.With(sample.With(s, "messaging.system", "asynq"), "messaging.destination.name", "emails")
	}
	aggregate := sample.With(sample.Linked(asynq(sample.Span(9, 0, "worker", "aggregate emails", sample.Producer, 20, 21)), sample.LinkTo(3)),
		"messaging.operation.name", "aggregate")
	aggregate.TraceID = sample.OtherID
	traces := []spans.Trace{
		{ID: sample.ID, Spans: []spans.Span{
			sample.With(asynq(sample.Span(1, 0, "shop", "enqueue emails", sample.Producer, 0, 1)), "asynq.enqueue.outcome", "duplicate"),
			sample.With(asynq(sample.Span(2, 0, "shop", "enqueue emails", sample.Producer, 0, 1)), "asynq.enqueue.outcome", "conflict"),
			asynq(sample.Span(3, 0, "shop", "enqueue emails", sample.Producer, 0, 1)),
		}},
		{ID: sample.OtherID, Spans: []spans.Span{aggregate}},
	}

	if q := queues.Find(traces, sample.Epoch.Add(time.Minute)).Queues[0]; q.Waiting != 1 || !q.WaitingSince.Equal(aggregate.End) {
		t.Errorf("%+v", q)
	}
}
