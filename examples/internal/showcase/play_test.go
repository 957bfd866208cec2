package showcase_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/internal/showcase"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// An example prints the same on every broker, and leaves nothing behind.
func TestPlay(t *testing.T) {
	play := func(t *testing.T, url string) (p props, played *showcase.Played) {
		t.Helper()
		var ended bool
		e := showcase.Example{Name: "test", LookAt: "\nLook at it.\n", Attributes: []string{"tenant"}, Run: func(ctx context.Context, s *showcase.Stage) error {
			if err := p.declare(s); err != nil {
				return err
			}
			deliveries, err := s.Consume(p.queue, 1)
			if err != nil {
				return err
			}
			s.Go(func() error {
				d := <-deliveries
				_, span := s.Service("mail").Tracer("t").Start(ctx, "process "+string(d.Body))
				span.End()
				<-ctx.Done()
				for range 50 { // as long as anything runs, it has what the stage has
					if _, err := s.Conn.Channel(); err != nil {
						return err
					}
				}
				ended = true
				return nil
			})
			_, span := s.Service("shop").Tracer("t").Start(ctx, "publish", trace.WithAttributes(attribute.String("tenant", "t1")))
			defer span.End()
			ch, err := s.Conn.Channel()
			if err != nil {
				return err
			}
			if err := ch.PublishWithContext(ctx, p.exchange, "k", false, false, amqp.Publishing{Body: []byte("order")}); err != nil {
				return err
			}
			return s.Await(ctx, 1, "process order")
		}}
		var out bytes.Buffer
		played, err := e.Play(t.Context(), url, &out, terminal.Options{Width: 100})
		ok(t, err)
		services := map[string]string{}
		for _, tr := range played.Traces {
			for i := range tr.Spans {
				services[tr.Spans[i].Name] = tr.Spans[i].Service
			}
		}
		if want := map[string]string{"publish": "shop", "process order": "mail"}; !reflect.DeepEqual(services, want) || !ended {
			t.Errorf("spans %v, ended %v", services, ended)
		}
		if text := out.String(); strings.Count(text, "trace ") != 2 || !strings.Contains(text, "t1") || !strings.HasSuffix(text, "\n\nLook at it.\n") {
			t.Errorf("printed\n%s", text)
		}
		if p.queue != played.Prefix+"new" || p.exchange != played.Prefix+"orders" || (url == "") != (played.Prefix == "") {
			t.Errorf("names %+v, prefix %q", p, played.Prefix)
		}
		return p, played
	}
	t.Run("its own broker", func(t *testing.T) { play(t, "") })
	onBrokers(t, func(t *testing.T, url string) {
		p, first := play(t, url)
		p.wantGone(t, url)
		if _, second := play(t, url); second.Prefix == first.Prefix {
			t.Errorf("two plays share the prefix %s", first.Prefix)
		}
	})
}

// An example that fails reports the first error, prints nothing and leaves nothing behind.
func TestPlayFails(t *testing.T) {
	errRun, errWorker := errors.New("run has failed"), errors.New("a worker has failed")
	for name, tt := range map[string]struct {
		run  func(ctx context.Context, s *showcase.Stage, cancel func()) error
		want []error
	}{
		"run": {func(context.Context, *showcase.Stage, func()) error { return errRun }, []error{errRun}},
		"worker": {func(ctx context.Context, s *showcase.Stage, _ func()) error {
			s.Go(func() error { return errWorker })
			return s.Await(ctx, 1, "never")
		}, []error{errWorker}},
		"worker, and then run": {func(ctx context.Context, s *showcase.Stage, _ func()) error {
			s.Go(func() error { return errWorker })
			<-ctx.Done()
			return errRun
		}, []error{errWorker, errRun}},
		"worker, unnoticed": {func(ctx context.Context, s *showcase.Stage, _ func()) error {
			s.Go(func() error { return errWorker })
			<-ctx.Done()
			return nil
		}, []error{errWorker}},
		"canceled": {func(ctx context.Context, s *showcase.Stage, cancel func()) error {
			cancel()
			return s.Await(ctx, 1, "never")
		}, []error{context.Canceled}},
		"its channel": {func(_ context.Context, s *showcase.Stage, _ func()) error {
			var refused *amqp.Error
			if _, err := s.Consume(s.Name("nowhere"), 1); !errors.As(err, &refused) || refused.Code != amqp.NotFound {
				return err
			}
			return errRun
		}, []error{errRun}},
	} {
		t.Run(name, func(t *testing.T) {
			onBrokers(t, func(t *testing.T, url string) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var p props
				e := showcase.Example{LookAt: "Look", Run: func(ctx context.Context, s *showcase.Stage) error {
					if err := p.declare(s); err != nil {
						return err
					}
					_, span := s.Service("shop").Tracer("t").Start(ctx, "publish")
					span.End()
					return tt.run(ctx, s, cancel)
				}}
				var out bytes.Buffer
				played, err := e.Play(ctx, url, &out, terminal.Options{})
				for _, want := range tt.want {
					if !errors.Is(err, want) {
						t.Errorf("error %v, want %v", err, want)
					}
				}
				if err == nil || !strings.HasPrefix(err.Error(), tt.want[0].Error()) && len(tt.want) > 1 || played != nil || out.Len() > 0 {
					t.Errorf("played %v, printed %q, %v", played, out.String(), err)
				}
				p.wantGone(t, url)
			})
		})
	}
}

func TestPlayConnectionLost(t *testing.T) {
	b, err := amqpbroker.Start()
	ok(t, err)
	defer b.Close()
	e := showcase.Example{Run: func(ctx context.Context, s *showcase.Stage) error {
		b.CutConnections()
		return s.Await(ctx, 1, "never")
	}}
	var lost *amqp.Error
	if _, err := e.Play(t.Context(), b.URL(), &bytes.Buffer{}, terminal.Options{}); !errors.As(err, &lost) {
		t.Errorf("error %v", err)
	}
}

func TestPlayNoBroker(t *testing.T) {
	for _, url := range []string{
		"amqp://u:geheim@127.0.0.1:1/", "amqps://u:geheim@127.0.0.1:1/", "amqp://u:geheim@127.0.0.1:x/", "http://u:geheim@h/", "amqp://u:geheim%zz@h/", "geheim",
	} {
		var out bytes.Buffer
		e := showcase.Example{Run: func(context.Context, *showcase.Stage) error { t.Error("it runs"); return nil }}
		_, err := e.Play(t.Context(), url, &out, terminal.Options{})
		if err == nil || !strings.Contains(err.Error(), showcase.BrokerVariable) || strings.Contains(err.Error(), "geheim") || out.Len() > 0 {
			t.Errorf("%s: printed %q, %v", url, out.String(), err)
		}
	}
}

// A span is shown with its values, whatever types its attributes have.
func TestSpans(t *testing.T) {
	kinds := []struct {
		in   attribute.KeyValue
		want any
	}{
		{attribute.Bool("k", true), true}, {attribute.Int64("k", math.MinInt64), int64(math.MinInt64)}, {attribute.Float64("k", 0.5), 0.5},
		{attribute.String("k", "\x1b\xff"), "\x1b\xff"}, {attribute.BoolSlice("k", []bool{true}), []any{true}},
		{attribute.IntSlice("k", []int{1, 2}), []any{int64(1), int64(2)}}, {attribute.Float64Slice("k", []float64{0.5}), []any{0.5}},
		{attribute.ByteSlice("k", []byte{0, 255}), []byte{0, 255}}, {attribute.KeyValue{Key: "k"}, nil},
		{attribute.Slice("k", attribute.IntSliceValue([]int{1}), attribute.Value{}), []any{[]any{int64(1)}, nil}},
		{attribute.Map("k", attribute.BoolSlice("in", nil)), spans.Attributes{{Key: "in", Value: []any{}}}},
		{attribute.StringSlice("k", nil), []any{}}, {attribute.StringSlice("k", []string{"a", "b"}), []any{"a", "b"}},
	}
	e := showcase.Example{Run: func(ctx context.Context, s *showcase.Stage) error {
		tracer := s.Service("shop").Tracer("scope")
		linked := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
		for i, k := range kinds {
			s.Go(func() error {
				_, span := tracer.Start(ctx, fmt.Sprint(i), trace.WithAttributes(k.in), trace.WithSpanKind(trace.SpanKindProducer),
					trace.WithLinks(trace.Link{SpanContext: linked, Attributes: []attribute.KeyValue{k.in}}))
				span.SetStatus(codes.Error, "why")
				span.End()
				return nil
			})
		}
		for i := range kinds {
			if err := errors.Join(s.Await(ctx, 1, fmt.Sprint(i)), s.Await(ctx, 0, "never")); err != nil {
				return err
			}
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Await(ended, 2, "1"); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 of 2") {
			t.Errorf("await more than there is: %v", err)
		}
		return nil
	}}
	played, err := e.Play(t.Context(), "", &bytes.Buffer{}, terminal.Options{})
	ok(t, err)
	for _, tr := range played.Traces {
		s := tr.Spans[0]
		var i int
		_, err := fmt.Sscan(s.Name, &i)
		ok(t, err)
		want := spans.Attributes{{Key: "k", Value: kinds[i].want}}
		if !reflect.DeepEqual(s.Attributes, want) || len(s.Links) != 1 || !reflect.DeepEqual(s.Links[0].Attributes, want) ||
			s.Links[0].TraceID != (trace.TraceID{1}) || s.Kind != trace.SpanKindProducer || s.Scope.Name != "scope" ||
			s.Status != (spans.Status{Code: codes.Error, Message: "why"}) || s.Service != "shop" || s.End.Before(s.Start) {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
	if len(played.Traces) != len(kinds) {
		t.Errorf("%d traces", len(played.Traces))
	}
}
