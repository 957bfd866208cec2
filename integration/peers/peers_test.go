package main

import (
	"context"
	"encoding/xml"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// All contenders do the work that the page says: so many spans in the right trace.
func TestContenders(t *testing.T) {
	for _, c := range contenders {
		for _, operation := range operations {
			spans := tracetest.NewInMemoryExporter()
			const n = 3
			c.work(operation, provider("sampled", sdktrace.NewSimpleSpanProcessor(spans)))(n)
			got := spans.GetSpans()
			if want := n * c.spans[operation]; len(got) != want {
				t.Errorf("%s, %s: %d spans, want %d", c.name, operation, len(got), want)
			}
			for _, s := range got {
				if !s.Parent.IsValid() || operation == "process" && !strings.Contains(traceparent, s.SpanContext.TraceID().String()) {
					t.Errorf("%s, %s: %s has the parent %v", c.name, operation, s.Name, s.Parent)
				}
			}
		}
	}
}

// A run with few turns fills the page: figures of all contenders, and a picture.
func TestReport(t *testing.T) {
	var costs []cost
	for _, operation := range operations {
		for _, sampling := range samplings {
			costs = append(costs, measure(operation, sampling, 3)...)
		}
	}
	for _, c := range costs {
		if c.nanoseconds <= 0 || c.ratio <= 0 {
			t.Errorf("%+v", c)
		}
		if (c.name == byHand || c.name == raw) && c.ratio != 1 {
			t.Errorf("%s is %v of itself", c.name, c.ratio)
		}
	}
	text, err := report(costs, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range contenders {
		if strings.Count(text, "| "+c.name+" |") != len(operations)*len(samplings) {
			t.Errorf("%s is not in all tables of\n%s", c.name, text)
		}
	}
	if err := xml.Unmarshal([]byte(plot(costs)), new(struct{})); err != nil {
		t.Error(err)
	}
}

// An address that cannot be read is said to be one, without the password in it, and the
// URLs that the project takes elsewhere are taken.
func TestRedisAddress(t *testing.T) {
	_, _, err := onRedis("redis://:secret@host:no", nil)
	if err == nil || !strings.Contains(err.Error(), "neither host:port nor") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	server := miniredis.RunT(t)
	server.RequireAuth("secret")
	for _, tp := range []*sdktrace.TracerProvider{nil, exporting()} {
		run, end, err := onRedis("redis://:secret@"+server.Addr()+"/3", tp)
		if err != nil {
			t.Fatal(err)
		}
		r, err := run(t.Context())
		end()
		if err != nil || r.perSecond <= 0 || len(r.latencies) != inOrder {
			t.Errorf("%v messages a second, %d latencies, %v", r.perSecond, len(r.latencies), err)
		}
	}
	if keys := server.DB(3).Keys(); slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(k, "mqtrace-peers") }) {
		t.Errorf("left: %q", keys)
	}
}

// A message that is lost fails a round, and does not hang it. Time is the bubble's.
func TestLostMessages(t *testing.T) {
	for lost, want := range map[int]string{
		fast - 1: "after 2999 of 3000", fast + 20: "after 20 of 200",
	} {
		n := 0
		took := make(chan time.Duration, fast)
		arrive := func() {
			if n != lost {
				took <- time.Millisecond
			}
			n++
		}
		for name, run := range map[string]func() (round, error){
			"Redis": func() (round, error) {
				return redisRound(t.Context(), func(context.Context, time.Time) error { arrive(); return nil }, took)
			},
			"RabbitMQ": func() (round, error) {
				return rabbitRound(t.Context(), func(context.Context, amqp.Publishing) (func(context.Context) error, error) {
					arrive()
					return func(context.Context) error { return nil }, nil
				}, took)
			},
		} {
			n = 0
			synctest.Test(t, func(t *testing.T) {
				took = make(chan time.Duration, fast)
				if _, err := run(); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, message %d lost: %v", name, lost, err)
				}
			})
		}
	}
}

// Where servers are named, messages go through them, as the page's last table needs.
func TestEndToEnd(t *testing.T) {
	c := config{amqp: os.Getenv("MQTRACE_AMQP_URL"), redis: os.Getenv("MQTRACE_REDIS_ADDR"), rounds: 1}
	flows, err := endToEnd(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flows {
		if f.ratio <= 0 || f.p50[0] <= 0 || f.p99[1] < f.p50[1] {
			t.Errorf("%+v", f)
		}
	}
	want := 0
	for _, addr := range []string{c.amqp, c.redis} {
		if addr != "" {
			want++
		}
	}
	if len(flows) != want {
		t.Errorf("%d flows, want %d", len(flows), want)
	}
}
