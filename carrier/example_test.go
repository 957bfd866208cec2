package carrier_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

func exampleContext() context.Context {
	return trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{0xab, 15: 0xcd}, SpanID: trace.SpanID{7: 1}, TraceFlags: trace.FlagsSampled,
	}))
}

func ExampleTable() {
	ctx := exampleContext() // of the span that produces the message
	headers := map[string]any{"content-version": int32(2)}

	// The producer sends a copy of its headers.
	message := carrier.Table(headers).Inject(ctx, propagation.TraceContext{})
	fmt.Println(message["traceparent"])
	fmt.Println("the producer's own map:", headers)

	// The consumer finds the producer's span context.
	ctx = message.Extract(context.Background(), propagation.TraceContext{})
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output:
	// 00-ab0000000000000000000000000000cd-0000000000000001-01
	// the producer's own map: map[content-version:2]
	// 0000000000000001
}

func ExampleHeaders() {
	message := carrier.Headers(nil).Inject(exampleContext(), propagation.TraceContext{})
	ctx := message.Extract(context.Background(), propagation.TraceContext{})
	fmt.Println(trace.SpanContextFromContext(ctx).TraceID())
	// Output: ab0000000000000000000000000000cd
}

func ExampleInjectText() {
	// With the order, in one database transaction:
	column := carrier.InjectText(exampleContext(), propagation.TraceContext{})
	fmt.Println(column)

	// In the relay that publishes the row later:
	ctx := carrier.ExtractText(context.Background(), propagation.TraceContext{}, column)
	fmt.Println(trace.SpanContextFromContext(ctx).SpanID())
	// Output:
	// {"traceparent":"00-ab0000000000000000000000000000cd-0000000000000001-01"}
	// 0000000000000001
}
