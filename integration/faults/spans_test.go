package faults_test

import (
	"context"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// spans counts spans by outcome. A long run has too many to keep.
type spans struct {
	mu             sync.Mutex
	started, ended int
	said           counts
	unlinked       int // process spans without a link to their message
	exporting      sdktrace.SpanProcessor
}

var _ sdktrace.SpanProcessor = (*spans)(nil)

func (s *spans) options() []amqptrace.Option {
	processors := []sdktrace.TracerProviderOption{sdktrace.WithSpanProcessor(s)}
	if s.exporting != nil {
		processors = append(processors, sdktrace.WithSpanProcessor(s.exporting))
	}
	return []amqptrace.Option{
		amqptrace.WithTracerProvider(sdktrace.NewTracerProvider(processors...)),
		amqptrace.WithPropagators(propagation.TraceContext{}),
	}
}

func (s *spans) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started++
}

func (s *spans) OnEnd(span sdktrace.ReadOnlySpan) {
	operation, _, _ := strings.Cut(span.Name(), " ")
	outcome := "no outcome"
	for _, kv := range span.Attributes() {
		switch kv.Key {
		case "mqtrace.publish.outcome", "mqtrace.settlement":
			outcome = kv.Value.AsString()
		case "messaging.batch.message_count":
			operation = "batch"
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	s.said.add(operation + " " + outcome)
	if operation == "process" && len(span.Links()) == 0 {
		s.unlinked++
	}
}

func (*spans) Shutdown(context.Context) error   { return nil }
func (*spans) ForceFlush(context.Context) error { return nil }

func (s *spans) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started - s.ended
}

func (s *spans) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said[what]
}
