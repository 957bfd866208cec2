package traceview_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// A program under test sends its spans to the server's URL; what came of a
// request is shown once all of its spans are there.
func ExampleListen() {
	store := traceview.NewStore(traceview.Limits{})

	srv, err := traceview.Listen("127.0.0.1:0", store)
	if err != nil {
		fmt.Println(err)

		return
	}
	defer srv.Close()

	fmt.Println(strings.HasPrefix(srv.URL(), "http://127.0.0.1:"))

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	// Stands for what an exporter would send.
	store.Add(sample.Order().Spans...)

	if store.Wait(ctx, sample.ID, func(tr spans.Trace) bool { return len(tr.Spans) == 10 }) {
		tr, _ := store.Trace(sample.ID)
		fmt.Println(len(tr.Spans), "spans of", strings.Join(tr.Services(), ", "))
	}
	// Output:
	// true
	// 10 spans of order-api, payment, notification, email-worker
}

func ExampleWriteTree() {
	start := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	tr := spans.Trace{ID: trace.TraceID{15: 1}, Spans: []spans.Span{
		{
			TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 1}, Name: "publish orders", Service: "api",
			Kind: trace.SpanKindProducer, Start: start, End: start.Add(2 * time.Millisecond),
		},
		{
			TraceID: trace.TraceID{15: 1}, SpanID: trace.SpanID{7: 2}, ParentID: trace.SpanID{7: 1},
			Name: "process billing", Service: "billing",
			Kind: trace.SpanKindConsumer, Start: start.Add(1202 * time.Millisecond), End: start.Add(1250 * time.Millisecond),
		},
	}}

	if err := terminal.WriteTree(os.Stdout, tr, terminal.Options{Width: 80}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// trace 00000000000000000000000000000001 · 2 services · 2 spans · 1.25s
	// 1.20s waiting
	//
	// SPAN                SERVICE  KIND        START    TOOK  TIMELINE
	// publish orders      api      producer        0  2.00ms  ━
	// ┆  waited in billing                   +2.00ms   1.20s  ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
	// └─ process billing  billing  consumer   +1.20s  48.0ms                         ━
}
