package traceview_test

import (
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

func TestTreeSaysWhyASpanFailed(t *testing.T) {
	exception := traceview.Event{Name: "exception", Attributes: traceview.Attributes{{Key: "exception.message", Value: "index out of range"}}}
	plain := spanAt(1, 0, "a", "x", server, 0, 1)
	thrown := fail(plain, "", "panic")
	thrown.Events = []traceview.Event{{Name: "retry"}, exception}

	for _, tt := range []struct {
		name string
		span traceview.Span
		want string
	}{
		{"a message and a type", fail(plain, "mailbox full", "mailbox_full"), "   mailbox full (mailbox_full)\n"},
		{"a type within the message", fail(plain, "EOF: unexpected", "EOF"), "   EOF: unexpected\n"},
		{"a type alone", fail(plain, "", "timeout"), "   timeout\n"},
		{"an exception", thrown, "   index out of range (panic)\n"},
		{"neither", fail(plain, "", ""), "   failed without a message\n"},
		{"an HTTP status", with(fail(plain, "", "502"), "http.response.status_code", int64(502)), "   HTTP 502\n"},
		{"an HTTP status and more", with(fail(plain, "no route", "502"), "http.response.status_code", int64(502)), "   no route (502)\n"},
		{"an HTTP status of its own", with(plain, "http.response.status_code", int64(404)), "   http.response.status_code=404\n"},
		{"success", with(plain, "http.response.status_code", int64(200)), "server        0  1.00ms  ━"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := draw(t, traceview.Trace{ID: sampleID, Spans: []traceview.Span{tt.span}}, traceview.TreeOptions{})
			_, row, _ := strings.Cut(got, "TIMELINE\n")

			if lines := strings.Count(row, "\n"); !strings.Contains(row, tt.want) || lines > 2 || tt.name == "success" && lines != 1 {
				t.Errorf("want %q in\n%s", tt.want, got)
			}
		})
	}
}

func TestTreeWaits(t *testing.T) {
	publish := spanAt(1, 0, "api", "publish orders", producer, 0, 10)

	for _, tt := range []struct {
		name  string
		spans []traceview.Span
		want  []string // in this order
	}{
		{
			"from the end of the publish",
			[]traceview.Span{spanAt(2, 1, "b", "process orders", consumer, 1210, 1300)},
			[]string{"publish orders", "┆  waited in orders", "1.20s", "process orders"},
		},
		{
			"processed before the confirmation",
			[]traceview.Span{spanAt(2, 1, "b", "process orders", consumer, 5, 7)},
			[]string{"┆  waited in orders", "+5.00ms  ", "0", "process orders"},
		},
		{
			"a retry",
			[]traceview.Span{
				spanAt(3, 1, "b", "process orders", consumer, 520, 530),
				spanAt(2, 1, "b", "process orders", consumer, 15, 20),
			},
			[]string{"waited in orders", "5.00ms", "process orders", "retried after", "500ms", "process orders  attempt 2"},
		},
		{
			"two queues of one exchange",
			[]traceview.Span{
				spanAt(2, 1, "b", "process mail", consumer, 15, 20),
				spanAt(3, 1, "c", "process stock", consumer, 30, 40),
			},
			[]string{"waited in mail", "5.00ms", "waited in stock", "20.0ms"},
		},
		{
			"two messages of one producer",
			[]traceview.Span{
				with(spanAt(2, 1, "b", "process mail", consumer, 15, 20), "messaging.message.id", "1"),
				with(spanAt(3, 1, "b", "process mail", consumer, 30, 40), "messaging.message.id", "2"),
			},
			[]string{"waited in mail", "5.00ms", "waited in mail", "20.0ms"},
		},
		{
			"dead-lettered",
			[]traceview.Span{
				spanAt(2, 1, "b", "process orders", consumer, 15, 20),
				with(with(spanAt(3, 1, "c", "process orders.dead", consumer, 70, 80),
					"mqtrace.dead_letter.count", int64(1)), "mqtrace.dead_letter.reasons", []any{"expired"}),
			},
			[]string{"dead-lettered (expired), waited in orders.dead", "50.0ms"},
		},
		{
			"linked, under another parent",
			[]traceview.Span{
				spanAt(2, 0, "b", "consume loop", internal, 0, 90),
				linked(spanAt(3, 2, "b", "process orders", consumer, 20, 30), linkTo(1)),
			},
			[]string{"consume loop", "waited in orders since publish orders", "10.0ms", "process orders"},
		},
		{
			"as the consumer recorded it",
			[]traceview.Span{with(spanAt(2, 0, "b", "process orders", consumer, 50, 60), "mqtrace.queue_time", 0.02)},
			[]string{"waited in orders", "20.0ms", "process orders"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := draw(t, traceview.Trace{ID: sampleID, Spans: append(tt.spans, publish)}, traceview.TreeOptions{})
			rest := got

			for _, want := range tt.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("want %q in this order in\n%s", tt.want, got)
				}

				rest = after
			}
		})
	}
}
