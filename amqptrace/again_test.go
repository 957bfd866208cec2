package amqptrace_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/messaging/messagingtest"
)

// consumed returns how many messages were counted as consumed.
func consumed(t *testing.T, reader *sdkmetric.ManualReader) (n int) {
	t.Helper()
	for _, point := range messagingtest.Points(t, reader, amqptrace.ScopeName, "rabbitmq") {
		var name string
		if _, err := fmt.Sscan(point, &name); err == nil && name == "client.consumed.messages" {
			n++
		}
	}
	return n
}

// If the caller of a handler retries at once, each attempt has a span, and the delivery is
// counted once. A redelivery is counted separately, even if it looks the same.
func TestCountedOnceUnderRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		deliveries []amqp.Delivery
		want       int
	}{
		"one":                      {[]amqp.Delivery{{DeliveryTag: 1, Body: []byte("b")}}, 1},
		"without a body":           {[]amqp.Delivery{{DeliveryTag: 1}}, 1},
		"with an acknowledger":     {[]amqp.Delivery{{DeliveryTag: 1, Acknowledger: &acknowledger{}}}, 1},
		"two":                      {[]amqp.Delivery{{DeliveryTag: 1}, {DeliveryTag: 2}}, 2},
		"redelivered":              {[]amqp.Delivery{{DeliveryTag: 1}, {DeliveryTag: 1, Redelivered: true}}, 2},
		"tags restart":             {[]amqp.Delivery{{DeliveryTag: 1, MessageId: "a"}, {DeliveryTag: 1, MessageId: "b"}}, 2},
		"tags restart, other body": {[]amqp.Delivery{{DeliveryTag: 1, Body: []byte("a")}, {DeliveryTag: 1, Body: []byte("b")}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			reader := sdkmetric.NewManualReader()
			metrics := amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
			tries := 0
			handle := amqptrace.NewConsumer("q", rec.options(metrics)...).Handler(func(context.Context, amqp.Delivery) error {
				switch tries++; tries % 3 {
				case 0:
					return nil
				case 1:
					return errors.New("not yet")
				default:
					panic("not yet")
				}
			})
			for _, d := range tt.deliveries {
				for again := true; again; {
					again = func() (again bool) {
						defer func() { again = recover() != nil || again }()
						return handle(context.Background(), d) != nil
					}()
				}
			}
			if n := consumed(t, reader); n != tt.want || len(rec.Ended()) != tries {
				t.Errorf("%d counted, want %d; %d spans of %d tries", n, tt.want, len(rec.Ended()), tries)
			}
		})
	}
}

// A handler in a loop, and a handler in a handler, are one attempt: one span, with its
// outcome, whichever learns it first.
func TestHandlersWithinHandlers(t *testing.T) {
	failure := errors.New("failed")
	for name, tt := range map[string]struct {
		inner     func(context.Context, amqp.Delivery) error
		errorType any
	}{
		"succeeds": {succeed, nil},
		"fails":    {func(context.Context, amqp.Delivery) error { return failure }, "*errors.errorString"},
		"panics":   {func(context.Context, amqp.Delivery) error { panic("host") }, "panic"},
	} {
		for _, host := range []amqp.Acknowledger{nil, &acknowledger{}} {
			t.Run(fmt.Sprintf("%s, acknowledger: %t", name, host != nil), func(t *testing.T) {
				rec := newRecorder(t)
				reader := sdkmetric.NewManualReader()
				opts := rec.options(amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
				inner := amqptrace.NewConsumer("q", opts...).Handler(func(ctx context.Context, d amqp.Delivery) error {
					amqptrace.Fail(ctx, nil)
					return tt.inner(ctx, d)
				})
				outer := amqptrace.NewConsumer("q", opts...).Handler(func(ctx context.Context, d amqp.Delivery) error {
					defer func() { _ = recover() }()
					_ = inner(ctx, d) // the error is lost
					return nil
				})
				_ = outer(context.Background(), amqp.Delivery{DeliveryTag: 1, Acknowledger: host})
				if got := attributes(rec.only(t))["error.type"]; got != tt.errorType {
					t.Errorf("error.type %v, want %v", got, tt.errorType)
				}
				if n := consumed(t, reader); n != 1 {
					t.Errorf("%d counted", n)
				}
			})
		}
	}
}

// A handler that is tried again within a loop or another handler has failed if its last try
// has, and a later handler does not make up for it.
func TestRetriesWithinALoop(t *testing.T) {
	failing := func(times int, panics bool) func(context.Context, amqp.Delivery) error {
		return func(context.Context, amqp.Delivery) error {
			if times--; times < 0 {
				return nil
			}
			if panics {
				panic("not yet")
			}
			return errors.New("not yet")
		}
	}
	for name, tt := range map[string]struct {
		failures  int
		panics    bool
		fail      bool
		errorType any
	}{
		"once":            {1, false, false, nil},
		"a panic":         {1, true, false, nil},
		"always":          {3, false, false, "*errors.errorString"},
		"panics always":   {3, true, false, "panic"},
		"Fail was called": {1, false, true, "*errors.errorString"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			c := amqptrace.NewConsumer("q", rec.options()...)
			handle, other := c.Handler(failing(tt.failures, tt.panics)), c.Handler(succeed)
			ds := make(chan amqp.Delivery, 1)
			ds <- amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}}
			close(ds)
			for ctx, d := range c.Deliveries(context.Background(), ds) {
				if tt.fail {
					amqptrace.Fail(ctx, errors.New("failed"))
				}
				for range 3 {
					func() {
						defer func() { _ = recover() }()
						_ = handle(ctx, d)
					}()
				}
				_ = other(ctx, d)
			}
			if got := attributes(rec.only(t))["error.type"]; got != tt.errorType {
				t.Errorf("error.type %v, want %v", got, tt.errorType)
			}
		})
	}
}

// A delivery that a loop hands to a worker is processed when the worker does it.
func TestHandlerAfterTheLoop(t *testing.T) {
	rec := newRecorder(t)
	c := amqptrace.NewConsumer("q", rec.options()...)
	ds := make(chan amqp.Delivery, 1)
	ds <- amqp.Delivery{DeliveryTag: 1, Acknowledger: &acknowledger{}}
	close(ds)
	var later amqp.Delivery
	for _, d := range c.Deliveries(context.Background(), ds) {
		later = d
	}
	if err := c.Handler(succeed)(context.Background(), later); err != nil {
		t.Error(err)
	}
	if len(rec.Ended()) != 2 {
		t.Errorf("%d spans", len(rec.Ended()))
	}
}

// counts returns how often each metric was counted.
func counts(t *testing.T, reader *sdkmetric.ManualReader) map[string]int {
	t.Helper()
	n := make(map[string]int)
	for _, point := range messagingtest.Points(t, reader, amqptrace.ScopeName, "rabbitmq") {
		n[strings.Fields(point)[0]]++
	}
	return n
}

// Each message is counted once by each counter, however often handlers of this package are
// called for its delivery.
func TestEachCounterCountsADeliveryOnce(t *testing.T) {
	errAgain := errors.New("not yet")
	for name, process := range map[string]func(c *amqptrace.Consumer, ds []amqp.Delivery){
		"handler, tried again": func(c *amqptrace.Consumer, ds []amqp.Delivery) {
			for _, d := range ds {
				tries := 0
				for c.Handler(func(ctx context.Context, d amqp.Delivery) error {
					if tries++; tries < 3 {
						return errAgain
					}
					return ack(ctx, d)
				})(t.Context(), d) != nil {
				}
			}
		},
		"batch, tried again": func(c *amqptrace.Consumer, ds []amqp.Delivery) {
			tries := 0
			for c.BatchHandler(func(_ context.Context, ds []amqp.Delivery) error {
				if tries++; tries < 3 {
					return errAgain
				}
				return ds[len(ds)-1].Ack(true)
			})(t.Context(), ds) != nil {
			}
		},
		"batch, then one by one": func(c *amqptrace.Consumer, ds []amqp.Delivery) {
			_ = c.BatchHandler(func(context.Context, []amqp.Delivery) error { return errAgain })(t.Context(), ds)
			for _, d := range ds {
				_ = c.Handler(ack)(t.Context(), d)
			}
		},
		"one by one in a batch": func(c *amqptrace.Consumer, ds []amqp.Delivery) {
			_ = c.BatchHandler(func(ctx context.Context, ds []amqp.Delivery) error {
				for _, d := range ds {
					_ = c.Handler(ack)(ctx, d)
				}
				return nil
			})(t.Context(), ds)
		},
		"two stages": func(c *amqptrace.Consumer, ds []amqp.Delivery) {
			for _, d := range ds {
				var passedOn amqp.Delivery
				_ = c.Handler(func(_ context.Context, d amqp.Delivery) error { passedOn = d; return nil })(t.Context(), d)
				_ = c.Handler(ack)(t.Context(), passedOn)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			c := amqptrace.NewConsumer("q", amqptrace.WithQueueTime(),
				amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
			host := &acknowledger{}
			var ds []amqp.Delivery
			for i := range 50 {
				ds = append(ds, amqp.Delivery{
					DeliveryTag: uint64(i + 1), Acknowledger: host,
					Headers: amqp.Table{"mqtrace-sent-at": strconv.FormatInt(time.Now().UnixMicro(), 10)},
				})
			}
			process(c, ds)
			got := counts(t, reader)
			for _, metric := range []string{"client.consumed.messages", "mqtrace.messages.without_context", "mqtrace.queue_time"} {
				if got[metric] != len(ds) {
					t.Errorf("%s is %d, want %d", metric, got[metric], len(ds))
				}
			}
			if n := got["mqtrace.messages.settled"]; n != len(ds) {
				t.Errorf("%d settled, want %d", n, len(ds))
			}
		})
	}
}

func ack(_ context.Context, d amqp.Delivery) error { return d.Ack(false) }

// Tags begin again with each channel and each recovery of one. Messages without a body and
// an identifier then look alike, and each is counted.
func TestDeliveriesWithEqualTagsAreCounted(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		const messages = 4
		n, ch, queue, _ := recovering(t, url)
		direct := open(t, url)
		reader := sdkmetric.NewManualReader()
		handle := amqptrace.NewConsumer(queue,
			amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))).Handler(
			func(_ context.Context, d amqp.Delivery) error {
				return errors.Join(d.Reject(false), errors.New("unusable"))
			})
		publish := func() {
			if err := direct.PublishWithContext(t.Context(), "", queue, false, false, amqp.Publishing{}); err != nil {
				t.Fatal(err)
			}
		}
		for range messages {
			publish()
			_ = handle(t.Context(), get(t, open(t, url), queue))
		}
		states := make(chan *amqp.StateChanged, messages*2)
		ch.NotifyStateChange(states)
		deliveries := consume(t, ch, queue)
		for range messages {
			publish()
			d := next(t, deliveries)
			if _ = handle(t.Context(), d); d.DeliveryTag != 1 || d.Redelivered {
				t.Fatalf("tag %d, redelivered %t", d.DeliveryTag, d.Redelivered)
			}
			if _, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil); err != nil { // the broker has the reject
				t.Fatal(err)
			}
			n.cut()
			for (<-states).To != amqp.StateOpen {
			}
		}
		if got := counts(t, reader)["client.consumed.messages"]; got != 2*messages {
			t.Errorf("%d counted, want %d", got, 2*messages)
		}
	})
}

// Without an acknowledger, the properties of a message distinguish it from the message that it
// is processed within.
func TestOtherMessageWithinAHandler(t *testing.T) {
	for name, other := range map[string]amqp.Delivery{
		"routing key":    {RoutingKey: "other"},
		"exchange":       {Exchange: "other"},
		"correlation id": {CorrelationId: "other"},
		"message id":     {MessageId: "other"},
		"tag":            {DeliveryTag: 2},
	} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			c := amqptrace.NewConsumer("q", rec.options()...)
			_ = c.Handler(func(ctx context.Context, _ amqp.Delivery) error {
				return c.Handler(succeed)(ctx, other)
			})(t.Context(), amqp.Delivery{Body: []byte("first")})
			if n := len(rec.Ended()); n != 2 {
				t.Errorf("%d spans, want 2", n)
			}
		})
	}
}

// A library's adapter may make a delivery, and its headers, for each try.
func TestCountedOnceWithNewHeaders(t *testing.T) {
	for name, tt := range map[string]struct {
		deliveries func() amqp.Delivery
		want       int
	}{
		"identifier":  {func() amqp.Delivery { return amqp.Delivery{MessageId: "m-1", Headers: amqp.Table{}} }, 1},
		"no contents": {func() amqp.Delivery { return amqp.Delivery{} }, 1},
		"other ones":  {func() amqp.Delivery { return amqp.Delivery{Headers: amqp.Table{"k": rand.Text()}} }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			reader := sdkmetric.NewManualReader()
			c := amqptrace.NewConsumer("q", amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
			var kept []amqp.Delivery // so that no address is used twice
			for range 3 {
				d := tt.deliveries()
				kept = append(kept, d)
				_, p := c.StartProcess(t.Context(), &d)
				_ = p.Result(errors.New("not yet"))
				p.End()
			}
			if n := consumed(t, reader); n != tt.want {
				t.Errorf("%d of %d counted, want %d", n, len(kept), tt.want)
			}
		})
	}
}

// A settlement that passes two processes has one span, under the inner one.
func TestSettleSpanOfNestedProcesses(t *testing.T) {
	rec := newRecorder(t)
	reader := sdkmetric.NewManualReader()
	c := amqptrace.NewConsumer("q", rec.options(amqptrace.WithSettleSpans(),
		amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))...)
	_ = c.BatchHandler(func(ctx context.Context, ds []amqp.Delivery) error {
		return c.Handler(ack)(ctx, ds[0])
	})(t.Context(), []amqp.Delivery{{DeliveryTag: 1, Acknowledger: &acknowledger{}}})
	spans := rec.Ended()
	if len(spans) != 3 || spans[0].Name() != "ack q" || spans[0].Parent().SpanID() != spans[1].SpanContext().SpanID() {
		t.Errorf("spans %v", spans)
	}
	for _, s := range spans[1:] {
		if got := attributes(s)["mqtrace.settlement"]; got != "ack" {
			t.Errorf("settlement %v", got)
		}
	}
	if n := counts(t, reader)["client.operation.duration"]; n != 1 {
		t.Errorf("%d settlements measured", n)
	}
}
