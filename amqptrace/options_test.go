package amqptrace_test

import (
	"context"
	"errors"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
)

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
					want = "own=1" // the sender cannot remove the consumer's own
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

// Messages that are filtered out have no span and no metric point, and their trace goes on.
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
			"process.duration process Q", "client.consumed.messages process Q", "mqtrace.messages.settled process Q ack", "mqtrace.queue_time process Q",
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
