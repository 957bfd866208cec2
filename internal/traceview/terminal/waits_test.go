package terminal_test

import (
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

func TestTreeSaysWhyASpanFailed(t *testing.T) {
	exception := spans.Event{Name: "exception", Attributes: spans.Attributes{{Key: "exception.message", Value: "index out of range"}}}
	plain := sample.Span(1, 0, "a", "x", sample.Server, 0, 1)
	thrown := sample.Fail(plain, "", "panic")
	thrown.Events = []spans.Event{{Name: "retry"}, exception}

	for _, tt := range []struct {
		name string
		span spans.Span
		want string
	}{
		{"a message and a type", sample.Fail(plain, "mailbox full", "mailbox_full"), "   mailbox full (mailbox_full)\n"},
		{"a type within the message", sample.Fail(plain, "EOF: unexpected", "EOF"), "   EOF: unexpected\n"},
		{"a type alone", sample.Fail(plain, "", "timeout"), "   timeout\n"},
		{"an exception", thrown, "   index out of range (panic)\n"},
		{"neither", sample.Fail(plain, "", ""), "   failed without a message\n"},
		{"an HTTP status", sample.With(sample.Fail(plain, "", "502"), "http.response.status_code", int64(502)), "   HTTP 502\n"},
		{"an HTTP status and more", sample.With(sample.Fail(plain, "no route", "502"), "http.response.status_code", int64(502)), "   no route (502)\n"},
		{"an HTTP status of its own", sample.With(plain, "http.response.status_code", int64(404)), "   http.response.status_code=404\n"},
		{"success", sample.With(plain, "http.response.status_code", int64(200)), "server        0  1.00ms  ━"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := draw(t, spans.Trace{ID: sample.ID, Spans: []spans.Span{tt.span}}, terminal.Options{})
			_, row, _ := strings.Cut(got, "TIMELINE\n")

			if lines := strings.Count(row, "\n"); !strings.Contains(row, tt.want) || lines > 2 || tt.name == "success" && lines != 1 {
				t.Errorf("want %q in\n%s", tt.want, got)
			}
		})
	}
}

func TestTreeWaits(t *testing.T) {
	publish := sample.Span(1, 0, "api", "publish orders", sample.Producer, 0, 10)

	for _, tt := range []struct {
		name  string
		spans []spans.Span
		want  []string // in this order
	}{
		{
			"from the end of the publish",
			[]spans.Span{sample.Span(2, 1, "b", "process orders", sample.Consumer, 1210, 1300)},
			[]string{"publish orders", "┆  waited in orders", "1.20s", "process orders"},
		},
		{
			"processed before the confirmation",
			[]spans.Span{sample.Span(2, 1, "b", "process orders", sample.Consumer, 5, 7)},
			[]string{"┆  waited in orders", "0  up to 5.00ms", "process orders"},
		},
		{
			"a retry",
			[]spans.Span{
				sample.Span(3, 1, "b", "process orders", sample.Consumer, 520, 530),
				sample.Span(2, 1, "b", "process orders", sample.Consumer, 15, 20),
			},
			[]string{"waited in orders", "5.00ms", "process orders", "retried after", "500ms", "process orders  attempt 2"},
		},
		{
			"two queues of one exchange",
			[]spans.Span{
				sample.Span(2, 1, "b", "process mail", sample.Consumer, 15, 20),
				sample.Span(3, 1, "c", "process stock", sample.Consumer, 30, 40),
			},
			[]string{"waited in mail", "5.00ms", "waited in stock", "20.0ms"},
		},
		{
			"two messages of one producer",
			[]spans.Span{
				sample.With(sample.Span(2, 1, "b", "process mail", sample.Consumer, 15, 20), "messaging.message.id", "1"),
				sample.With(sample.Span(3, 1, "b", "process mail", sample.Consumer, 30, 40), "messaging.message.id", "2"),
			},
			[]string{"waited in mail", "5.00ms", "waited in mail", "20.0ms"},
		},
		{
			"dead-lettered",
			[]spans.Span{
				sample.Span(2, 1, "b", "process orders", sample.Consumer, 15, 20),
				sample.With(sample.With(sample.Span(3, 1, "c", "process orders.dead", sample.Consumer, 70, 80),
					"mqtrace.dead_letter.count", int64(1)), "mqtrace.dead_letter.reasons", []any{"expired"}),
			},
			[]string{"dead-lettered (expired), waited in orders.dead", "50.0ms"},
		},
		{
			"linked, under another parent",
			[]spans.Span{
				sample.Span(2, 0, "b", "consume loop", sample.Internal, 0, 90),
				sample.Linked(sample.Span(3, 2, "b", "process orders", sample.Consumer, 20, 30), sample.LinkTo(1)),
			},
			[]string{"consume loop", "waited in orders since publish orders", "10.0ms", "process orders"},
		},
		{
			"a confirmed publish, in which the message came into the queue",
			[]spans.Span{
				sample.With(sample.Span(4, 0, "api", "publish mail", sample.Producer, 20, 30), "mqtrace.publish.outcome", "acked"),
				sample.Span(5, 4, "b", "process mail", sample.Consumer, 40, 50),
			},
			[]string{"publish mail", "waited in mail", "up to 20.0ms", "process mail"},
		},
		{
			"what the consumer recorded counts before what can be guessed",
			[]spans.Span{sample.With(sample.Span(2, 1, "b", "process orders", sample.Consumer, 50, 60), "mqtrace.queue_time", 0.045)},
			[]string{"waited in orders", "45.0ms", "process orders"},
		},
		{
			"a time in whole seconds",
			[]spans.Span{sample.With(sample.Span(2, 0, "b", "process orders", sample.Consumer, 1234, 1300), "mqtrace.queue_time", 3.234)},
			[]string{"waited in orders", "about 3s", "process orders"},
		},
		{
			"two copies, each a first attempt by its own account",
			[]spans.Span{
				sample.With(sample.Span(2, 1, "b", "process orders", sample.Consumer, 15, 20), "mqtrace.attempt", int64(1)),
				sample.With(sample.Span(3, 1, "b", "process orders", sample.Consumer, 30, 40), "mqtrace.attempt", int64(1)),
			},
			[]string{"waited in orders", "5.00ms", "waited in orders", "20.0ms"},
		},
		{
			"as the consumer recorded it",
			[]spans.Span{sample.With(sample.Span(2, 0, "b", "process orders", sample.Consumer, 50, 60), "mqtrace.queue_time", 0.02)},
			[]string{"waited in orders", "20.0ms", "process orders"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := draw(t, spans.Trace{ID: sample.ID, Spans: append(tt.spans, publish)}, terminal.Options{})
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
