package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// aMinuteAgo makes a span about a message of RabbitMQ's exchange orders.
func aMinuteAgo(traceNumber, id byte, name string, kind trace.SpanKind, destination string) spans.Span {
	end := time.Now().Add(-time.Minute)
	return spans.Span{
		TraceID: trace.TraceID{2, traceNumber}, SpanID: trace.SpanID{id}, Name: name, Kind: kind, Service: "shop",
		Start: end.Add(-time.Millisecond), End: end, Attributes: spans.Attributes{
			{Key: "messaging.system", Value: "rabbitmq"}, {Key: "messaging.destination.name", Value: destination},
			{Key: "messaging.rabbitmq.destination.routing_key", Value: "created"},
		},
	}
}

// The terminal also shows what other traces say about a trace's messages: the orders are
// consumed in separate traces, the third by billing and not by mail.
func TestTraceKnowsOtherTraces(t *testing.T) {
	kept := traceview.NewStore(traceview.Limits{})
	for n := range byte(3) {
		kept.Add(aMinuteAgo(n+1, 1, "publish orders", trace.SpanKindProducer, "orders:created"))
		for i, queue := range []string{"billing", "mail"} {
			if n == 2 && queue == "mail" {
				continue
			}
			s := aMinuteAgo(n+1, byte(i)+2, "process "+queue, trace.SpanKindConsumer, "orders:created:"+queue)
			s.Links = []spans.Link{{TraceID: s.TraceID, SpanID: trace.SpanID{1}}}
			s.TraceID[0] += n
			kept.Add(s)
		}
	}
	view, err := traceview.Listen("127.0.0.1:0", kept)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = view.Close(); http.DefaultClient.CloseIdleConnections() })
	id := func(n byte) string { return trace.TraceID{2, n}.String() }
	file := writeFile(t, ok(t, "trace", view.URL(), "-o", "json"))
	for name, args := range map[string]func(n byte) []string{
		"a view":        func(n byte) []string { return []string{id(n), "-view", view.URL()} },
		"a view's page": func(n byte) []string { return []string{view.URL() + "/#/trace/" + id(n)} },
		"a short id":    func(n byte) []string { return []string{id(n)[:8], "-view", view.URL()} },
		"a file":        func(n byte) []string { return []string{file, "-id", id(n)} },
	} {
		for n, want := range []string{1: "", 2: "", 3: "not consumed in mail for 1m0"} {
			if n == 0 {
				continue
			}
			if got := ok(t, append([]string{"trace"}, args(byte(n))...)...); want == "" && strings.Contains(got, "not consumed") || !strings.Contains(got, want) {
				t.Errorf("%s, %d:\n%s", name, n, got)
			}
		}
	}
}

// Tasks that are not due yet are reported, and do not count as waiting.
func TestQueuesNotDue(t *testing.T) {
	kept := traceview.NewStore(traceview.Limits{})
	s := aMinuteAgo(1, 1, "enqueue emails", trace.SpanKindProducer, "emails")
	s.Attributes = spans.Attributes{
		{Key: "messaging.system", Value: "asynq"}, {Key: "messaging.destination.name", Value: "emails"},
		{Key: "mqtrace.due_time", Value: time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
	}
	kept.Add(s)
	view, err := traceview.Listen("127.0.0.1:0", kept)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = view.Close(); http.DefaultClient.CloseIdleConnections() })
	if got := ok(t, "queues", view.URL()); !strings.Contains(got, "emails: 1 message not due yet, the next in ") || strings.Contains(got, "not consumed") {
		t.Errorf("%s", got)
	}
}
