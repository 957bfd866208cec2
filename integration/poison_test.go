package integration_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	apitrace "go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

func TestPoisonMessageIsDeadLetteredInItsTrace(t *testing.T) {
	onEachBackend(t, func(t *testing.T, s *stage) {
		for name, body := range map[string]string{
			"not JSON":       "order;email\n",
			"fields missing": "{}",
			"empty":          "",
		} {
			t.Run(name, func(t *testing.T) {
				published := s.publishRaw(t, publishing([]byte(body)))
				id := published.TraceID().String()
				publish := "test: publish " + s.exchange
				tr := s.wait(t, id, publish, s.notify, s.bury)
				producer, rejected, buried := tr.all(publish)[0], tr.all(s.notify)[0], tr.all(s.bury)[0]
				for _, consumed := range []*span{rejected, buried} {
					if consumed.kind != "consumer" || consumed.parent != producer.id ||
						!slices.Equal(consumed.links, []string{producer.ref()}) {
						t.Errorf("%v: parent %s, links %q, want the publish %s",
							consumed, consumed.parent, consumed.links, producer.id)
					}
				}
				checkFailed(t, rejected, "malformed order event", "*events.MalformedError")
				checkAttrs(t, rejected, attrs{"mqtrace.settlement": "reject"})
				checkFine(t, buried)
				checkAttrs(t, buried, attrs{
					"mqtrace.settlement":         "ack",
					"messaging.destination.name": s.exchange + ".dead-letter:order.created:" + s.deadQueue,
				})
				if at := slices.IndexFunc(s.logs.of(t, id), func(l map[string]string) bool {
					return l["msg"] == "dead letter" && l["reason"] == "rejected" && l["queue"] == s.queue
				}); at < 0 {
					t.Error("the dead letter was not logged with its reason and its queue")
				}
			})
		}
	})
}

func TestHostileHeadersDoNotStopTheService(t *testing.T) {
	onEachBackend(t, func(t *testing.T, s *stage) {
		conn, err := amqp.Dial(s.backend.AMQPURL)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		for _, headers := range []amqp.Table{
			{"traceparent": int64(7), "tracestate": true, "baggage": amqp.Table{"a": "b"}},
			{"traceparent": []byte{0xff, 0xfe}, "baggage": "tenant.id=\xff\xfe"},
			{"traceparent": "00-00000000000000000000000000000000-0000000000000000-01"},
			{"baggage": string(make([]byte, 100_000))},
		} {
			err := ch.PublishWithContext(t.Context(), s.exchange, "order.created", false, false,
				amqp.Publishing{Headers: headers, Body: []byte("{}")})
			if err != nil {
				t.Fatal(err)
			}
		}
		r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
		s.wait(t, r.traceID, s.mail)
		// Their spans may come in a different request than the order's.
		eventually(t, "all messages were processed", func() bool { return s.count(s.notify) >= 5 })
		if n := s.count(s.notify); n != 5 {
			t.Errorf("%d messages processed, want 5", n)
		}
	})
}

func publishing(body []byte) amqp.Publishing { return amqp.Publishing{Body: body} }

// publishRaw publishes to the order exchange without the services.
func (s *stage) publishRaw(t *testing.T, message amqp.Publishing) apitrace.SpanContext {
	t.Helper()
	tel, err := telemetry.Setup(t.Context(), telemetry.Config{
		Service: "test", KeepName: true, ViewerURL: s.URL, LogWriter: s.logs,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer tel.Shutdown(context.Background())
	conn, err := amqp.Dial(s.backend.AMQPURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.CloseDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, amqp.ErrClosed) {
			t.Error(err)
		}
	}()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	publisher := amqptrace.NewPublisher(ch,
		amqptrace.WithTracerProvider(tel.TracerProvider), amqptrace.WithPropagators(tel.Propagators))
	ctx, span := tel.Tracer().Start(t.Context(), "test")
	defer span.End()
	if err := publisher.PublishWithContext(ctx, s.exchange, "order.created", false, false, message); err != nil {
		t.Fatal(err)
	}
	return span.SpanContext()
}
