package amqptrace_test

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

func TestRelation(t *testing.T) {
	now := time.Now()
	stamp := func(age time.Duration) amqp.Table {
		return amqp.Table{"mqtrace-sent-at": strconv.FormatInt(now.Add(-age).UnixMicro(), 10)}
	}
	minute := amqptrace.ContinueWithin(time.Minute)
	for name, tt := range map[string]struct {
		relation amqptrace.Relation
		delivery amqp.Delivery
		newTrace bool
	}{
		"continue":               {amqptrace.ContinueTrace, amqp.Delivery{}, false},
		"new":                    {amqptrace.NewTrace, amqp.Delivery{}, true},
		"nil":                    {nil, amqp.Delivery{}, false},
		"within":                 {minute, amqp.Delivery{Headers: stamp(time.Second)}, false},
		"beyond":                 {minute, amqp.Delivery{Headers: stamp(time.Hour)}, true},
		"ahead of our clock":     {minute, amqp.Delivery{Headers: stamp(-time.Hour)}, false},
		"beyond, by timestamp":   {minute, amqp.Delivery{Timestamp: now.Add(-time.Hour)}, true},
		"within, by timestamp":   {minute, amqp.Delivery{Timestamp: now}, false},
		"of unknown age":         {minute, amqp.Delivery{}, false},
		"unusable stamp":         {minute, amqp.Delivery{Headers: amqp.Table{"mqtrace-sent-at": "yesterday"}}, false},
		"stamp of another type":  {minute, amqp.Delivery{Headers: amqp.Table{"mqtrace-sent-at": int64(1)}}, false},
		"negative stamp":         {minute, amqp.Delivery{Headers: amqp.Table{"mqtrace-sent-at": "-5"}}, false},
		"one's own: first tries": {func(m amqptrace.Message) bool { return m.Attempt == 1 }, amqp.Delivery{Redelivered: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []sdktrace.SamplingParameters
			rec := newRecorder(t, sdktrace.WithSampler(sdktrace.ParentBased(startSampler{&seen})))
			headers, created := message(t)
			headers["baggage"] = "tenant.id=t1"
			maps.Copy(headers, tt.delivery.Headers)
			tt.delivery.Headers = headers
			consumer := amqptrace.NewConsumer("q", rec.options(amqptrace.WithRelation(tt.relation))...)
			if err := consumer.Handler(func(ctx context.Context, _ amqp.Delivery) error {
				if v := baggage.FromContext(ctx).Member("tenant.id").Value(); v != "t1" {
					t.Errorf("baggage %q", v)
				}
				return nil
			})(context.Background(), tt.delivery); err != nil {
				t.Fatal(err)
			}
			span := rec.only(t)
			wantLinks(t, span, created)
			if tt.newTrace {
				wantParent(t, span, trace.SpanContext{})
				if span.SpanContext().TraceID() == created.TraceID() || len(seen) != 1 {
					t.Errorf("in trace %s, root sampler asked %d times", span.SpanContext().TraceID(), len(seen))
				}
			} else {
				wantParent(t, span, created)
			}
		})
	}
}

// A trace of its own is asked for by name, besides by a context without a span: a
// tracer may know of other parents.
func TestNewTraceIsARoot(t *testing.T) {
	headers, _ := message(t)
	tracers := &rootTracers{}
	opts := []amqptrace.Option{
		amqptrace.WithTracerProvider(tracers), amqptrace.WithPropagators(propagator), amqptrace.WithRelation(amqptrace.NewTrace),
	}
	d := amqp.Delivery{Headers: headers}
	consumer := amqptrace.NewConsumer("q", opts...)
	_ = consumer.Handler(succeed)(context.Background(), d)
	_ = consumer.BatchHandler(func(context.Context, []amqp.Delivery) error { return nil })(context.Background(), []amqp.Delivery{d})
	if tracers.roots != 2 {
		t.Errorf("%d roots, want 2", tracers.roots)
	}
}

type rootTracers struct {
	noop.TracerProvider

	roots int
}

func (r *rootTracers) Tracer(string, ...trace.TracerOption) trace.Tracer {
	return rootTracer{tracers: r}
}

type rootTracer struct {
	noop.Tracer

	tracers *rootTracers
}

func (r rootTracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	if c := trace.NewSpanStartConfig(opts...); c.NewRoot() {
		r.tracers.roots++
	}
	return r.Tracer.Start(ctx, name, opts...)
}

func TestWhatARelationSees(t *testing.T) {
	var got amqptrace.Message
	relation := func(m amqptrace.Message) bool { got = m; return true }
	headers := amqp.Table{"k": "v", "x-delivery-count": int64(1)}
	if err := amqptrace.NewConsumer("q", amqptrace.WithRelation(relation)).Handler(succeed)(context.Background(), amqp.Delivery{
		Exchange: "x", RoutingKey: "k", Headers: headers, Timestamp: time.Now().Add(-time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	if got.Queue != "q" || got.Exchange != "x" || got.RoutingKey != "k" || got.Headers["k"] != "v" || got.Attempt != 2 ||
		!got.AgeKnown || got.Age < time.Hour || got.Age > 2*time.Hour {
		t.Errorf("the relation saw %+v", got)
	}
}

func TestBaggageKeys(t *testing.T) {
	for name, tt := range map[string]struct {
		keys []string
		want string
	}{
		"one":  {[]string{"b"}, "b=2"},
		"none": {nil, ""},
		"more": {[]string{"a", "b", "x"}, "a=1,b=2"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			bag, err := baggage.Parse("a=1,b=2,c=3")
			if err != nil {
				t.Fatal(err)
			}
			ch := &channel{}
			opts := rec.options(amqptrace.WithBaggageKeys(tt.keys...))
			if err := amqptrace.NewPublisher(ch, opts...).PublishWithContext(
				baggage.ContextWithBaggage(context.Background(), bag), "x", "k", false, false, amqp.Publishing{}); err != nil {
				t.Fatal(err)
			}
			out, _ := ch.published[0].msg.Headers["baggage"].(string)
			if !sameBaggage(out, tt.want) {
				t.Errorf("sent %q, want %q", out, tt.want)
			}

			handle := amqptrace.NewConsumer("q", opts...).Handler(func(ctx context.Context, _ amqp.Delivery) error {
				want := tt.want
				if want == "" {
					want = "own=1" // the consumer's own is not the sender's to take away
				}
				if got := baggage.FromContext(ctx).String(); !sameBaggage(got, want) {
					t.Errorf("received %q, want %q", got, want)
				}
				return nil
			})
			own, err := baggage.Parse("own=1")
			if err != nil {
				t.Fatal(err)
			}
			headers, created := message(t)
			headers["baggage"] = "a=1,b=2,c=3"
			if err := handle(baggage.ContextWithBaggage(context.Background(), own), amqp.Delivery{Headers: headers}); err != nil {
				t.Fatal(err)
			}
			wantParent(t, rec.Ended()[1], created)
		})
	}
}

func sameBaggage(a, b string) bool {
	x, errX := baggage.Parse(a)
	y, errY := baggage.Parse(b)
	if errX != nil || errY != nil || x.Len() != y.Len() {
		return false
	}
	for _, m := range x.Members() {
		if y.Member(m.Key()).Value() != m.Value() {
			return false
		}
	}
	return true
}

// Messages that are left alone have no span and no point, and their trace goes on.
func TestFilter(t *testing.T) {
	rec := newRecorder(t)
	only := func(m amqptrace.Message) bool { return m.Exchange != "quiet" && m.Queue != "quiet" }
	opts := rec.options(amqptrace.WithFilter(nil), amqptrace.WithFilter(only))
	ch := &channel{}
	ctx, caller := rec.start(context.Background(), "caller")
	if err := amqptrace.NewPublisher(ch, opts...).PublishWithContext(ctx, "quiet", "k", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	pub := amqptrace.NewPublisher(&channel{confirmation: nil}, opts...)
	if err := pub.PublishConfirmed(ctx, "quiet", "k", false, false, amqp.Publishing{}); !errors.Is(err, amqptrace.ErrNotConfirming) {
		t.Error(err)
	}
	headers := ch.published[0].msg.Headers
	sent := carrier.Table(headers).Extract(context.Background(), propagator)
	if trace.SpanContextFromContext(sent).SpanID() != caller.SpanContext().SpanID() {
		t.Errorf("the message carries %v, want the caller's span", trace.SpanContextFromContext(sent))
	}

	consumer := amqptrace.NewConsumer("quiet", opts...)
	check := func(ctx context.Context, d amqp.Delivery) error {
		if got := trace.SpanContextFromContext(ctx); got.SpanID() != caller.SpanContext().SpanID() {
			t.Errorf("the handler's context has %v, want the publisher's span", got)
		}
		amqptrace.Fail(ctx, errors.New("goes nowhere"))
		return d.Ack(false)
	}
	d := amqp.Delivery{Headers: headers, Acknowledger: &acknowledger{}}
	if err := consumer.Handler(check)(context.Background(), d); err != nil {
		t.Error(err)
	}
	ds := make(chan amqp.Delivery, 1)
	ds <- d
	close(ds)
	for ctx, d := range consumer.Deliveries(context.Background(), ds) {
		_ = check(ctx, d)
	}
	if err := consumer.BatchHandler(func(_ context.Context, ds []amqp.Delivery) error { return ds[0].Ack(false) })(
		context.Background(), []amqp.Delivery{d}); err != nil {
		t.Error(err)
	}
	if _, ok, err := consumer.Get(context.Background(), getter{d}, false); !ok || err != nil {
		t.Error(ok, err)
	}
	if n := len(rec.Started()); n != 1 {
		t.Errorf("%d spans, want the caller's alone", n)
	}
}

type getter struct{ d amqp.Delivery }

func (g getter) Get(string, bool) (amqp.Delivery, bool, error) { return g.d, true, nil }

func TestQueueTime(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		began := time.Now()
		s.ok(s.publisher(amqptrace.WithQueueTime()).PublishConfirmed(s.ctx, s.x, "k", true, false, amqp.Publishing{}))
		time.Sleep(20 * time.Millisecond)
		s.process(s.consumer(s.q, amqptrace.WithQueueTime()), s.take(s.q), func(d amqp.Delivery) error { return d.Ack(false) })
		seconds, _ := attributes(s.Ended()[1])["mqtrace.queue_time"].(float64)
		if seconds < 0.02 || seconds > time.Since(began).Seconds() {
			t.Errorf("queue time %v s", seconds)
		}
		s.checkPoints([]string{
			"client.operation.duration publish X", "client.sent.messages publish X",
			"process.duration process Q", "client.consumed.messages process Q", "mqtrace.queue_time process Q",
		})
	})
}

func TestBodySize(t *testing.T) {
	rec := newRecorder(t)
	opts := rec.options(amqptrace.WithBodySize())
	_ = amqptrace.NewPublisher(&channel{}, opts...).PublishWithContext(
		context.Background(), "x", "k", false, false, amqp.Publishing{Body: []byte("12345")})
	_ = amqptrace.NewConsumer("q", opts...).Handler(succeed)(context.Background(), amqp.Delivery{Body: []byte("12345")})
	for _, s := range rec.Ended() {
		if got := attributes(s)["messaging.message.body.size"]; got != int64(5) {
			t.Errorf("%s: size %v", s.Name(), got)
		}
	}
}

// A loop that calls a handler processes each message once.
func TestHandlerInALoop(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		s.put("m1", nil)
		ds := make(chan amqp.Delivery, 1)
		ds <- s.take(s.q)
		close(ds)
		c := s.consumer(s.q)
		handle := c.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })
		for ctx, d := range c.Deliveries(context.Background(), ds) {
			s.ok(handle(ctx, d))
		}
		s.checkPoints([]string{"process.duration process Q", "process.duration process Q", "client.consumed.messages process Q"})
		for _, span := range s.Ended() {
			if got := attributes(span)["mqtrace.settlement"]; got != "ack" {
				t.Errorf("settlement %v", got)
			}
		}
	})
}

// The span of a Get covers the wait for the broker, although it is made after it.
func TestGetTakesTime(t *testing.T) {
	rec := newRecorder(t)
	began := time.Now()
	if _, ok, err := amqptrace.NewConsumer("q", rec.options()...).Get(context.Background(), slow{}, false); !ok || err != nil {
		t.Error(ok, err)
	}
	span := rec.only(t)
	if took := span.EndTime().Sub(span.StartTime()); took < 20*time.Millisecond || span.StartTime().Before(began) {
		t.Errorf("the span took %v", took)
	}
}

type slow struct{}

func (slow) Get(string, bool) (amqp.Delivery, bool, error) {
	time.Sleep(20 * time.Millisecond)
	return amqp.Delivery{}, true, nil
}

func TestGetWithoutAcknowledger(t *testing.T) {
	c := amqptrace.NewConsumer("q")
	d, _, err := c.Get(context.Background(), getter{amqp.Delivery{DeliveryTag: 1}}, false)
	if err != nil || !errors.Is(d.Ack(false), amqp.ErrDeliveryNotInitialized) {
		t.Error("not the host's own error")
	}
	err = c.Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(context.Background(), d)
	if !errors.Is(err, amqp.ErrDeliveryNotInitialized) {
		t.Errorf("error %v", err)
	}
}
