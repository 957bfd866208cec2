package amqptrace_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/internal/messaging/messagingtest"
)

// A scene is a broker with a topic exchange X, a queue Q bound to it, a dead-letter
// queue D behind Q, a publisher in confirm mode, and the caller's span.
type scene struct {
	recorder
	*testing.T

	metrics  *sdkmetric.ManualReader
	meters   *sdkmetric.MeterProvider
	url      string
	ch       *amqp.Channel
	x, q, d  string
	ctx      context.Context // has the caller's span
	caller   trace.Span
	messages map[string]trace.SpanContext // creation contexts by message id
}

func newScene(t *testing.T, url string) *scene {
	t.Helper()
	ch := open(t, url)
	s := &scene{
		recorder: newRecorder(t), T: t, url: url, ch: ch, metrics: sdkmetric.NewManualReader(),
		messages: make(map[string]trace.SpanContext),
	}
	s.meters = sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.metrics))
	// On a channel that no test closes, so that everything is removed in every case.
	s.x, s.q, s.d = topology(t, open(t, url))
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	s.ctx, s.caller = s.start(context.Background(), "caller")
	return s
}

func (s *scene) opts(more ...amqptrace.Option) []amqptrace.Option {
	return s.options(append(more, amqptrace.WithMeterProvider(s.meters))...)
}

func (s *scene) publisher(more ...amqptrace.Option) *amqptrace.Publisher {
	return amqptrace.NewPublisher(s.ch, s.opts(more...)...)
}

func (s *scene) consumer(queue string, more ...amqptrace.Option) *amqptrace.Consumer {
	return amqptrace.NewConsumer(queue, s.opts(more...)...)
}

// put publishes a message with a creation context to Q, without amqptrace.
func (s *scene) put(id string, headers amqp.Table) {
	s.Helper()
	var span [8]byte
	copy(span[:], id)
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, byte(len(s.messages) + 1)}, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true,
	})
	s.messages[id] = sc
	msg := amqp.Publishing{MessageId: id, Headers: amqp.Table(
		carrier.Table(headers).Inject(trace.ContextWithSpanContext(context.Background(), sc), propagator))}
	confirmation, err := s.ch.PublishWithDeferredConfirmWithContext(context.Background(), s.x, "k.1", true, false, msg)
	if err != nil || !confirmation.Wait() {
		s.Fatal("the message was not taken: ", err)
	}
}

// take gets the next message from a queue, without amqptrace.
func (s *scene) take(queue string) amqp.Delivery {
	s.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
		d, ok, err := s.ch.Get(queue, false)
		if err != nil {
			s.Fatal(err)
		}
		if ok {
			return d
		}
	}
	s.Fatal("no message in ", queue)
	return amqp.Delivery{}
}

// process processes and settles one message, in a context without a span.
func (s *scene) process(c *amqptrace.Consumer, d amqp.Delivery, handle func(amqp.Delivery) error) {
	_ = c.Handler(func(_ context.Context, d amqp.Delivery) error { return handle(d) })(context.Background(), d)
}

func (s *scene) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *scene) is(err, target error) {
	s.Helper()
	if !errors.Is(err, target) {
		s.Errorf("error %v, want %v", err, target)
	}
}

func (s *scene) get(c *amqptrace.Consumer) {
	s.Helper()
	if _, ok, err := c.Get(s.ctx, s.ch, false); ok || err != nil {
		s.Errorf("got a message: %v, %v", ok, err)
	}
}

// reopen closes the channel, if that has not happened, and returns another one on
// which the scene's names can be removed.
func (s *scene) reopen() *amqp.Channel {
	s.Helper()
	_ = s.ch.Close()
	ch := open(s.T, s.url)
	x, q, d := s.x, s.q, s.d
	s.Cleanup(func() {
		_, _ = ch.QueueDelete(q, false, false, false)
		_, _ = ch.QueueDelete(d, false, false, false)
		_ = ch.ExchangeDelete(x, false, false)
	})
	return ch
}

func (s *scene) names() *strings.Replacer {
	return strings.NewReplacer(s.x, "X", s.q, "Q", s.d, "D")
}

func (s *scene) checkSpans(want []span) {
	s.Helper()
	var got []sdktrace.ReadOnlySpan
	known := map[string]trace.SpanContext{"caller": s.caller.SpanContext(), "none": {}}
	maps.Copy(known, s.messages)
	for _, sp := range s.Ended() {
		if sp.InstrumentationScope().Name == amqptrace.ScopeName {
			got = append(got, sp)
			known[s.names().Replace(sp.Name())] = sp.SpanContext()
		}
	}
	if len(got) != len(want) || len(s.Started()) != len(s.Ended()) {
		s.Fatalf("%d spans, want %d; %d started and %d ended", len(got), len(want), len(s.Started()), len(s.Ended()))
	}
	for i, w := range want {
		s.checkSpan(got[i], w, known)
	}
}

func (s *scene) checkSpan(got sdktrace.ReadOnlySpan, want span, known map[string]trace.SpanContext) {
	s.Helper()
	name := s.names().Replace(got.Name())
	if name != want.name || got.SpanKind().String() != want.kind {
		s.Errorf("span %q of kind %v, want %q, %s", name, got.SpanKind(), want.name, want.kind)
	}
	wantParent(s.T, got, known[want.parent])
	if want.parent == "none" && slices.ContainsFunc(slices.Collect(maps.Values(s.messages)), func(m trace.SpanContext) bool {
		return m.TraceID() == got.SpanContext().TraceID()
	}) {
		s.Error("the span is in the trace of a message")
	}
	var links []trace.SpanContext
	for _, l := range want.links {
		links = append(links, known[l])
	}
	wantLinks(s.T, got, links...)
	if failed := got.Status().Code == codes.Error; failed != want.failed || got.Status().Code == codes.Ok {
		s.Errorf("%q: status %v", name, got.Status())
	}
	s.checkAttributes(got, want)
}

func (s *scene) checkAttributes(got sdktrace.ReadOnlySpan, want span) {
	s.Helper()
	operation, destination, _ := strings.Cut(want.name, " ")
	types := map[string]string{"publish": "send", "process": "process", "get": "receive"}
	wanted := append(strings.Fields(want.attributes), "messaging.system=rabbitmq", "messaging.operation.name="+operation)
	if t, ok := types[operation]; ok {
		wanted = append(wanted, "messaging.operation.type="+t)
	} else {
		wanted = append(wanted, "messaging.operation.type=settle")
	}
	// The separator between the name of a span and its attributes.
	if !slices.Contains(wanted, "messaging.destination.name="+destination) {
		wanted = append(wanted, "messaging.destination.template="+destination)
	}
	var have []string
	for _, kv := range got.Attributes() {
		value := fmt.Sprint(kv.Value.AsInterface())
		if kv.Key == "mqtrace.dead_letter.times" {
			value = "[TIME]"
		}
		have = append(have, fmt.Sprintf("%s=%s", kv.Key, s.names().Replace(value)))
	}
	slices.Sort(wanted)
	slices.Sort(have)
	if !slices.Equal(have, wanted) {
		s.Errorf("%q has\n%s\nwant\n%s", want.name, strings.Join(have, "\n"), strings.Join(wanted, "\n"))
	}
}

// checkPoints compares the metric points, each as often as it was counted, written as
// name, operation, destination, error type and settlement.
func (s *scene) checkPoints(want []string) {
	s.Helper()
	var got []string
	for _, point := range messagingtest.Points(s, s.metrics, amqptrace.ScopeName, "rabbitmq") {
		got = append(got, s.names().Replace(point))
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		s.Errorf("metric points\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// only2 returns the one span besides the caller's, which is still open.
func (s *scene) only2() sdktrace.ReadOnlySpan {
	s.Helper()
	if len(s.Ended()) != 1 {
		s.Fatalf("%d spans", len(s.Ended()))
	}
	return s.Ended()[0]
}
