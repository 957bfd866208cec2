package probe_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/carrier"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/probe"
)

// What real-world middlemen do to headers.
var middlemen = map[string]struct {
	handle   func(amqp.Table) amqp.Table
	outcome  probe.Outcome
	statuses [3]probe.Status
}{
	"hands on": {func(h amqp.Table) amqp.Table { return h },
		probe.Survived, [3]probe.Status{probe.Unchanged, probe.Unchanged, probe.Unchanged}},
	"drops tracestate": {without("tracestate"),
		probe.Damaged, [3]probe.Status{probe.Unchanged, probe.Lost, probe.Unchanged}},
	"loses baggage": {without("baggage"),
		probe.Damaged, [3]probe.Status{probe.Unchanged, probe.Unchanged, probe.Lost}},
	"drops all headers": {func(amqp.Table) amqp.Table { return nil },
		probe.Damaged, [3]probe.Status{probe.Lost, probe.Lost, probe.Lost}},
	"starts a trace of its own": {replace("traceparent", func(string) any { return "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" }),
		probe.Damaged, [3]probe.Status{probe.Changed, probe.Unchanged, probe.Unchanged}},
	"does not sample": {replace("traceparent", func(v string) any { return strings.TrimSuffix(v, "01") + "00" }),
		probe.Damaged, [3]probe.Status{probe.Changed, probe.Unchanged, probe.Unchanged}},
	"cuts traceparent": {replace("traceparent", func(v string) any { return v[:20] }),
		probe.Damaged, [3]probe.Status{probe.Changed, probe.Unchanged, probe.Unchanged}},
	"makes octets of strings": {func(h amqp.Table) amqp.Table {
		out := amqp.Table{}
		for k, v := range h {
			out[k] = []byte(v.(string))
		}
		return out
	}, probe.Damaged, [3]probe.Status{probe.TypeChanged, probe.TypeChanged, probe.TypeChanged}},
	"makes a number of it": {replace("tracestate", func(string) any { return int64(7) }),
		probe.Damaged, [3]probe.Status{probe.Unchanged, probe.Changed, probe.Unchanged}},
	"trims spaces": {replace("baggage", func(v string) any { return strings.ReplaceAll(v, " ", "") }),
		probe.Damaged, [3]probe.Status{probe.Unchanged, probe.Unchanged, probe.Changed}},
	"decodes percents": {replace("baggage", func(v string) any { return strings.ReplaceAll(v, "%2C", ",") }),
		probe.Damaged, [3]probe.Status{probe.Unchanged, probe.Unchanged, probe.Changed}},
	"spells names its way": {func(h amqp.Table) amqp.Table {
		out := amqp.Table{}
		for k, v := range h {
			out[strings.ToUpper(k[:1])+k[1:]] = v
		}
		return out
	}, probe.Damaged, [3]probe.Status{probe.Changed, probe.Changed, probe.Changed}},
	"continues the trace": {continueTrace,
		probe.Survived, [3]probe.Status{probe.Continued, probe.Unchanged, probe.Continued}},
	"continues the trace and drops tracestate": {func(h amqp.Table) amqp.Table { return without("tracestate")(continueTrace(h)) },
		probe.Damaged, [3]probe.Status{probe.Continued, probe.Lost, probe.Continued}},
	"continues the trace and adds to tracestate": {func(h amqp.Table) amqp.Table {
		return replace("tracestate", func(v string) any { return "vendor=1," + v })(continueTrace(h))
	}, probe.Survived, [3]probe.Status{probe.Continued, probe.Continued, probe.Continued}},
	"continues the trace and loses a member": {func(h amqp.Table) amqp.Table {
		return replace("baggage", func(string) any { return "tenant.id=a+b=c" })(continueTrace(h))
	}, probe.Damaged, [3]probe.Status{probe.Continued, probe.Unchanged, probe.Changed}},
}

func without(header string) func(amqp.Table) amqp.Table {
	return func(h amqp.Table) amqp.Table {
		h = maps.Clone(h)
		delete(h, header)
		return h
	}
}

func replace(header string, with func(string) any) func(amqp.Table) amqp.Table {
	return func(h amqp.Table) amqp.Table {
		h = maps.Clone(h)
		h[header] = with(h[header].(string))
		return h
	}
}

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// continueTrace is a service instrumented with OpenTelemetry.
func continueTrace(h amqp.Table) amqp.Table {
	provider := sdktrace.NewTracerProvider()
	defer provider.Shutdown(context.Background())
	ctx := carrier.Table(h).Extract(context.Background(), propagator)
	ctx, span := provider.Tracer("service").Start(ctx, "process")
	defer span.End()
	return amqp.Table(carrier.Table(h).Inject(ctx, propagator))
}

func TestDamage(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		for name, tt := range middlemen {
			t.Run(name, func(t *testing.T) {
				s := &scene{t, s.conn, s.ch, s.prefix}
				first, last := s.queue("first", nil), s.queue("last", nil)
				s.middleman(first, "", last, tt.handle)
				r := s.probe(probe.Route{From: probe.Binding{Key: first}, Queue: last})
				s.want(r, tt.outcome, tt.statuses[:]...)
				s.wantMessages(last, 0)
				if tt.outcome == probe.Survived != (len(r.Damage) == 0) {
					t.Errorf("damage %v", r.Damage)
				}
			})
		}
	})
}

// The service in between is one with amqptrace, as a user would write it.
func TestContinuedByAmqptrace(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		first, last := s.queue("first", nil), s.queue("last", nil)
		provider := sdktrace.NewTracerProvider()
		defer provider.Shutdown(context.Background())
		opts := []amqptrace.Option{amqptrace.WithTracerProvider(provider), amqptrace.WithPropagators(propagator)}
		deliveries, err := s.ch.Consume(first, "", true, false, false, false, nil)
		ok(t, err)
		pub := amqptrace.NewPublisher(s.ch, opts...)
		handle := amqptrace.NewConsumer(first, opts...).Handler(func(ctx context.Context, d amqp.Delivery) error {
			return pub.PublishWithContext(ctx, "", last, false, false, amqp.Publishing{Body: d.Body})
		})
		go func() {
			for d := range deliveries {
				_ = handle(context.Background(), d)
			}
		}()
		r := s.probe(probe.Route{From: probe.Binding{Key: first}, Queue: last})
		s.want(r, probe.Survived, probe.Continued, probe.Unchanged, probe.Continued)
		if hops := r.Places[0].Hops; len(hops) != 1 || hops[0].Kind != "service" {
			t.Errorf("hops %v", hops)
		}
	})
}

// Temporary queues on the route show which of two intermediaries it was.
func TestWhichHop(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		first, second, last := s.queue("first", nil), s.queue("second", nil), s.queue("last", nil)
		orders, bills, mails := s.exchange("orders", first), s.exchange("bills", second), s.exchange("mails", last)
		s.middleman(first, bills, "bill", without("baggage"))
		s.middleman(second, mails, "mail", without("tracestate"))
		r := s.probe(probe.Route{
			From: probe.Binding{Exchange: orders, Key: "order"}, Queue: last,
			Via: []probe.Binding{{Exchange: orders, Key: "#"}, {Exchange: bills, Key: "bill"}, {Exchange: mails, Key: "not.this"}},
		})
		s.want(r, probe.Damaged, probe.Unchanged, probe.Lost, probe.Lost)
		if r.Places[2].Arrived {
			t.Error("seen where it was not")
		}
		want := []probe.Damage{
			{Field: "tracestate", After: r.Places[1].Name, Before: r.Places[3].Name},
			{Field: "baggage", After: r.Places[0].Name, Before: r.Places[1].Name},
		}
		for i, d := range r.Damage {
			if i >= len(want) || d != want[i] {
				t.Errorf("damage %+v, want %+v", r.Damage, want)
			}
		}
	})
}
