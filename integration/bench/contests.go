package main

import (
	"context"
	"fmt"
	"os"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// operations are contests without a server, so that only the tracing is measured.
var operations = []contest{
	{operation: "publish", contenders: []contender{
		{name: byHand, start: handPublish},
		{name: "amqptrace", kind: ours, start: amqptracePublish},
		{name: "kotel", kind: peer, start: kotelPublish},
		{name: "otelsarama's carriers", kind: peer, start: saramaPublish},
	}},
	{operation: "process", contenders: []contender{
		{name: byHand, start: handProcess},
		{name: "amqptrace", kind: ours, start: amqptraceProcess},
		{name: "kotel", kind: peer, start: kotelProcess},
		{name: "otelsarama's carriers", kind: peer, start: saramaProcess},
	}},
	{operation: "enqueue a task", contenders: []contender{
		{name: byHand, start: handEnqueue}, {name: "asynqtrace", kind: ours, start: asynqtraceEnqueue},
	}},
	{operation: "process a task", contenders: []contender{
		{name: byHand, start: handTask}, {name: "asynqtrace", kind: ours, start: asynqtraceTask},
	}},
}

// samplings are the configurations that a program can have, noop being one without an SDK,
// each with the limit on the ratio to spans by hand.
var samplings = []contest{{sampling: "sampled", limit: 1.25}, {sampling: "unsampled", limit: 1.5}, {sampling: "noop", limit: 1.75}}

// servers are contests through a real server, if the variable has its address. Messages are
// not traced if tp is nil.
var servers = []struct {
	operation, variable string
	start               func(addr, queue string, tp trace.TracerProvider) (work, error)
}{
	{"RabbitMQ, end to end", "MQTRACE_AMQP_URL", onRabbitMQ},
	{"asynq, end to end", "MQTRACE_REDIS_ADDR", onRedis},
}

func onNothing() (all []contest) {
	for _, c := range operations {
		for _, s := range samplings {
			c.sampling, c.limit = s.sampling, s.limit
			all = append(all, c)
		}
	}
	return all
}

func endToEnd() (all []contest) {
	for _, s := range servers {
		addr := os.Getenv(s.variable)
		if addr == "" {
			fmt.Fprintf(os.Stderr, "%s is not measured: %s is not set\n", s.operation, s.variable)
			continue
		}
		c := contest{operation: s.operation, perTurn: perTurn}
		for i, name := range []string{"not traced", "none sampled", "a tenth sampled", "all sampled"} {
			c.contenders = append(c.contenders, contender{name: name, start: func(trace.TracerProvider) (work, error) {
				return s.start(addr, fmt.Sprintf("mqtrace-bench-%d-%d", os.Getpid(), i), production(i))
			}})
		}
		all = append(all, c)
	}
	return all
}

// production returns a provider as in production, with a sampler and a batch processor,
// except that its exporter drops everything.
func production(i int) trace.TracerProvider {
	if i == 0 {
		return nil
	}
	tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased([]float64{0, 0, 0.1, 1}[i]))))
	closers = append(closers, func() { _ = tp.Shutdown(context.Background()) })
	return tp
}

// provider returns a provider whose spans are dropped when they end.
func provider(sampling string) trace.TracerProvider {
	switch sampling {
	case "sampled":
		return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropping{}))
	case "unsampled":
		return sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(dropping{}), sdktrace.WithSampler(sdktrace.NeverSample()))
	default:
		return noop.NewTracerProvider()
	}
}

type dropping struct{ sdktrace.SpanProcessor }

func (dropping) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (dropping) OnEnd(sdktrace.ReadOnlySpan)                     {}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// request returns the context that all contenders publish in: a span, and baggage with one
// member.
func request(tp trace.TracerProvider) context.Context {
	bag, _ := baggage.Parse(baggageHeader) // a constant
	ctx, _ := tp.Tracer("bench").Start(baggage.ContextWithBaggage(context.Background(), bag), "POST /orders")
	return ctx
}

// The message that all contenders send and receive, with three headers of the application.
const (
	exchange, routingKey, queue = "orders", "order.created", "billing"
	traceparentKey, traceparent = "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	baggageKey, baggageHeader   = "baggage", "tenant.id=t1"
	version, source, attempts   = "content-version", "source", "attempts"
	checkout, messageID, byHand = "checkout", "b9f1c6a2", "by hand"
)
