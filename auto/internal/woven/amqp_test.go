//go:build woven

package woven

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// Every way to publish is traced, also through an interface and a method value.
func TestPublish(t *testing.T) {
	s := play(t)
	s.ok(s.ch.Confirm(false))
	ctx, span := otel.Tracer("test").Start(context.Background(), "caller")
	msg := func(id string) amqp.Publishing { return amqp.Publishing{MessageId: id} }
	s.ok(s.ch.PublishWithContext(ctx, "", s.queue, false, false, msg("1")))
	_, err := s.ch.PublishWithDeferredConfirmWithContext(ctx, "", s.queue, false, false, msg("2"))
	s.ok(err)
	span.End()
	s.ok(s.ch.Publish("", s.queue, false, false, msg("3")))
	c, err := s.ch.PublishWithDeferredConfirm("", s.queue, false, false, msg("4"))
	s.ok(err)
	if !c.Wait() {
		t.Error("not confirmed")
	}
	var of interface {
		Publish(exchange, key string, mandatory, immediate bool, msg amqp.Publishing) error
	} = s.ch
	s.ok(of.Publish("", s.queue, false, false, msg("5")))
	method := s.ch.PublishWithContext
	s.ok(method(context.Background(), "", s.queue, false, false, msg("6")))
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.ch.PublishWithContext(gone, "", s.queue, false, false, msg("7")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.want(`
		caller
		  publish amq.default 1
		  publish amq.default 2
		publish amq.default 3
		publish amq.default 4
		publish amq.default 5
		publish amq.default 6
		publish amq.default 7 context.Canceled ERROR
	`)
}

func (s *scene) handle(d amqp.Delivery) error {
	if err := s.reply(); err != nil {
		return err
	}
	return d.Ack(false)
}

func (s *scene) handleIn(ctx context.Context, d *amqp.Delivery) error {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		s.Error("the context has no span")
	}
	err := s.ch.PublishWithContext(ctx, "", s.queue+"-replies", false, false, amqp.Publishing{})
	return errors.Join(err, d.Ack(false))
}

func (*scene) fail(d amqp.Delivery) error {
	return errors.Join(errors.New("no"), d.Nack(false, false))
}

func (s *scene) mustHandle(_ context.Context, d amqp.Delivery) {
	defer func() {
		if r := recover(); r != "boom" {
			s.Errorf("recovered %v", r)
		}
	}()
	s.panics(d)
}

func (*scene) panics(amqp.Delivery) { panic("boom") }

func TestConsume(t *testing.T) {
	handled := `
		caller
		  publish amq.default 1
		    process Q 1 ack
		      publish amq.default
		caller
		  publish amq.default 2
		    process Q 2 ack
		      publish amq.default
	`
	tests := map[string]struct {
		loop func(s *scene, deliveries <-chan amqp.Delivery)
		want string
	}{
		"function": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				s.ok(s.handle(d))
			}
		}, handled},
		"function with a pointer and a context": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				s.ok(s.handleIn(context.Background(), &d))
			}
		}, handled},
		"literal": {func(s *scene, ds <-chan amqp.Delivery) {
			handle := func(d amqp.Delivery) {
				s.ok(s.reply())
				s.ok(s.ch.Ack(d.DeliveryTag, false))
			}
			for d := range ds {
				handle(d)
			}
		}, handled},
		"loop": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				s.ok(s.reply())
				s.ok(d.Ack(false))
			}
		}, handled},
		"loop with select": {func(s *scene, ds <-chan amqp.Delivery) {
			never := make(chan bool)
			for {
				select {
				case <-never:
				case d, ok := <-ds:
					if !ok {
						return
					}
					s.ok(s.ch.PublishWithContext(context.Background(), "", s.queue+"-replies", false, false, amqp.Publishing{}))
					s.ok(d.Ack(false))
				}
			}
		}, handled},
		"goroutine of its own": {func(s *scene, ds <-chan amqp.Delivery) {
			done := make(chan bool)
			go func() {
				defer close(done)
				for d := range ds {
					s.ok(s.reply())
					s.ok(d.Ack(false))
				}
			}()
			<-done
		}, handled},
		"workers": {func(s *scene, ds <-chan amqp.Delivery) {
			jobs := make(chan amqp.Delivery)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					for d := range jobs {
						s.ok(s.handle(d))
					}
				})
			}
			for d := range ds {
				jobs <- d
			}
			close(jobs)
			wg.Wait()
		}, handled},
		"goroutine for each": {func(s *scene, ds <-chan amqp.Delivery) {
			var wg sync.WaitGroup
			for d := range ds {
				wg.Go(func() { s.ok(s.handle(d)) })
			}
			wg.Wait()
		}, handled},
		"settled afterwards": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				if err := func(amqp.Delivery) error { return s.reply() }(d); err == nil {
					s.ok(d.Ack(false))
				}
			}
		}, handled},
		"several settled at once": {func(s *scene, ds <-chan amqp.Delivery) {
			first := <-ds
			second := <-ds
			_ = first
			s.ok(second.Ack(true))
			for range ds {
			}
		}, `
		caller
		  publish amq.default 1
		    process Q 1 ack
		caller
		  publish amq.default 2
		    process Q 2 ack
		`},
		"error": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				_ = s.fail(d)
			}
		}, `
		caller
		  publish amq.default 1
		    process Q 1 *errors.joinError nack ERROR
		caller
		  publish amq.default 2
		    process Q 2 *errors.joinError nack ERROR
		`},
		"panic": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				s.mustHandle(context.Background(), d)
			}
		}, `
		caller
		  publish amq.default 1
		    process Q 1 panic ERROR
		caller
		  publish amq.default 2
		    process Q 2 panic ERROR
		`},
		"not settled": {func(_ *scene, ds <-chan amqp.Delivery) {
			for range ds {
			}
		}, `
		caller
		  publish amq.default 1
		    process Q 1
		caller
		  publish amq.default 2
		    process Q 2
		`},
		"requeued and rejected": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				if d.MessageId == "1" && !d.Redelivered {
					s.ok(d.Nack(false, true))
					continue
				}
				s.ok(d.Reject(false))
			}
		}, `
		caller
		  publish amq.default 1
		    process Q 1 requeue
		    process Q 1 rejected reject ERROR
		caller
		  publish amq.default 2
		    process Q 2 rejected reject ERROR
		`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := play(t)
			s.consumeBy(false, func(ds <-chan amqp.Delivery) { test.loop(s, ds) }, "1", "2")
			s.want(test.want)
		})
	}
}

func TestAutoAck(t *testing.T) {
	tests := map[string]struct {
		loop func(s *scene, deliveries <-chan amqp.Delivery)
		want string
	}{
		"function": {func(s *scene, ds <-chan amqp.Delivery) {
			for d := range ds {
				func(amqp.Delivery) { s.ok(s.reply()) }(d)
			}
		}, `
		caller
		  publish amq.default 1
		    process Q 1
		      publish amq.default
		`},
		"loop": {func(_ *scene, ds <-chan amqp.Delivery) {
			for range ds {
			}
		}, `
		caller
		  publish amq.default 1
		    process Q 1
		`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := play(t)
			s.consumeBy(true, func(ds <-chan amqp.Delivery) { test.loop(s, ds) }, "1")
			s.want(test.want)
		})
	}
}

func TestGet(t *testing.T) {
	s := play(t)
	s.put("1")
	var d amqp.Delivery
	for ok := false; !ok; {
		var err error
		d, ok, err = s.ch.Get(s.queue, false)
		s.ok(err)
	}
	s.ok(s.reply())
	s.ok(d.Ack(false))
	s.ok(s.reply()) // of nothing
	s.want(`
		caller
		  publish amq.default 1
		    get Q 1
		    process Q 1 ack
		      publish amq.default
		publish amq.default
	`)
}

// A cancelled consumer's messages can still be settled, and a worker pool that a handler
// starts on first use does not stay in the first message's trace.
func TestWhatOutlivesAMessage(t *testing.T) {
	s := play(t)
	deliveries := s.consume(false)
	jobs, done := make(chan bool), make(chan bool)
	handle := func(d amqp.Delivery) {
		if d.MessageId == "1" {
			go func() {
				for range jobs {
					s.ok(s.reply())
					done <- true
				}
			}()
		}
		s.ok(d.Ack(false))
	}
	s.put("1")
	handle(<-deliveries)
	s.put("2")
	second := <-deliveries
	s.ok(s.ch.Cancel(s.queue, false))
	jobs <- true
	<-done
	close(jobs)
	handle(second)
	s.want(`
		caller
		  publish amq.default 1
		    process Q 1 ack
		caller
		  publish amq.default 2
		    process Q 2 ack
		publish amq.default
	`)
}

// Code that calls amqptrace itself gets each span once, with its own options.
func TestByHand(t *testing.T) {
	options := amqptrace.WithAttributes(attribute.Bool("by.hand", true))
	published := func(s *scene, how string) {
		for _, span := range recorded() {
			if span.Name() == how && !attributeOf(span, "by.hand").AsBool() {
				s.Errorf("%s is not the one by hand", how)
			}
		}
	}
	type loop func(s *scene, pub *amqptrace.Publisher, cons *amqptrace.Consumer, ds <-chan amqp.Delivery)
	tests := map[string]loop{
		"Handler": func(s *scene, pub *amqptrace.Publisher, cons *amqptrace.Consumer, ds <-chan amqp.Delivery) {
			handle := cons.Handler(func(ctx context.Context, d amqp.Delivery) error {
				return errors.Join(pub.PublishConfirmed(ctx, "", s.queue+"-replies", false, false, amqp.Publishing{}), d.Ack(false))
			})
			for d := range ds {
				s.ok(handle(context.Background(), d))
			}
		},
		"Deliveries": func(s *scene, pub *amqptrace.Publisher, cons *amqptrace.Consumer, ds <-chan amqp.Delivery) {
			for ctx, d := range cons.Deliveries(context.Background(), ds) {
				s.ok(pub.PublishWithContext(ctx, "", s.queue+"-replies", false, false, amqp.Publishing{}))
				s.ok(d.Ack(false))
			}
		},
		"StartPublish and StartProcess": func(s *scene, pub *amqptrace.Publisher, cons *amqptrace.Consumer, ds <-chan amqp.Delivery) {
			for d := range ds {
				ctx, p := cons.StartProcess(context.Background(), &d)
				msg := amqp.Publishing{}
				ctx, sent := pub.StartPublish(ctx, "", s.queue+"-replies", &msg)
				s.ok(sent.Result(s.ch.PublishWithContext(ctx, "", s.queue+"-replies", false, false, msg)))
				sent.End()
				s.ok(p.Result(d.Ack(false)))
				p.End()
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := play(t)
			s.ok(s.ch.Confirm(false))
			s.consumeBy(false, func(ds <-chan amqp.Delivery) {
				test(s, amqptrace.NewPublisher(s.ch, options), amqptrace.NewConsumer(s.queue, options), ds)
			}, "1")
			s.want(`
		caller
		  publish amq.default 1
		    process Q 1 ack
		      publish amq.default
			`)
			published(s, "process "+s.queue)
		})
	}
}

// Messages that a filter excludes have the traceparent of their caller, and so the same one.
func TestExcludedByHand(t *testing.T) {
	s := play(t)
	pub := amqptrace.NewPublisher(s.ch, amqptrace.WithFilter(func(amqptrace.Message) bool { return false }))
	ctx, span := otel.Tracer("test").Start(context.Background(), "caller")
	var first, second amqp.Publishing
	_, one := pub.StartPublish(ctx, "", s.queue, &first)
	_, two := pub.StartPublish(ctx, "", s.queue, &second)
	s.ok(one.Result(s.ch.PublishWithContext(ctx, "", s.queue, false, false, first)))
	one.End()
	s.ok(two.Result(s.ch.PublishWithContext(ctx, "", s.queue, false, false, second)))
	two.End()
	span.End()
	s.want(`
		caller
	`)
}

// A function that gets a delivery and calls amqptrace itself has one span as well.
func TestByHandWithinAFunction(t *testing.T) {
	s := play(t)
	deliveries := s.consume(false)
	cons := amqptrace.NewConsumer(s.queue)
	handle := cons.Handler(func(ctx context.Context, d amqp.Delivery) error {
		return errors.Join(s.ch.PublishWithContext(ctx, "", s.queue+"-replies", false, false, amqp.Publishing{}), d.Ack(false))
	})
	s.put("1")
	func(d amqp.Delivery) { s.ok(handle(context.Background(), d)) }(<-deliveries)
	s.want(`
		caller
		  publish amq.default 1
		    process Q 1 ack
		      publish amq.default
	`)
}

// 10,000 messages, 16 workers: each has its span and its reply, and nothing is left over.
func TestManyWorkers(t *testing.T) {
	const messages, workers = 10_000, 16
	s := play(t)
	s.ok(s.ch.Qos(4*workers, 0, false))
	before := runtime.NumGoroutine()
	published := make(chan error, 1)
	begin := make(chan bool)
	go func() { // which knows nothing of the consumer
		<-begin
		var err error
		for i := range messages {
			err = errors.Join(err, s.ch.Publish("", s.queue, false, false, amqp.Publishing{MessageId: strconv.Itoa(i)}))
		}
		published <- err
	}()
	deliveries := s.consume(false)
	consuming := runtime.NumGoroutine() // amqp091-go's, and one for each call of Consume
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for d := range deliveries {
				s.ok(s.handle(d))
			}
		})
	}
	if n := consuming - before; n > 3 {
		t.Errorf("%d goroutines more", n)
	}
	close(begin)
	s.ok(<-published)
	deadline := time.Now().Add(3 * patience)
	for len(recorded()) < 3*messages && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	s.ok(s.ch.Close())
	wg.Wait()
	s.settle()
	spans := recorded()
	if len(spans) != 3*messages {
		t.Errorf("%d spans, want %d", len(spans), 3*messages)
	}
	traces := make(map[trace.TraceID]int)
	for _, span := range spans {
		traces[span.SpanContext().TraceID()]++
	}
	for id, n := range traces {
		if n != 3 || len(traces) != messages {
			t.Fatalf("%d traces, %d spans in %s", len(traces), n, id)
		}
	}
	recorder.mu.Lock()
	open := len(recorder.open)
	recorder.mu.Unlock()
	if open > 0 {
		t.Errorf("%d spans are open", open)
	}
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}
