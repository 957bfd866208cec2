package integration_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func patienceOver() <-chan time.Time { return time.After(patience) }

// eventually waits for a condition that no span or log line shows.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late := patienceOver()
	for !holds() {
		select {
		case <-late:
			t.Fatalf("timed out waiting for: %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestOrdersGoOnAfterTheBrokerWasAway(t *testing.T) {
	broker, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() }) // after the services, which clean up on it
	way := newGate(t, broker.Addr())
	s := newStage(t, config.Config{AMQPURL: "amqp://guest:guest@" + way.addr + "/"})
	before := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
	s.wait(t, before.traceID, postOrders, s.mail)

	if n := way.shut(); n == 0 {
		t.Fatal("nobody was connected")
	}
	eventually(t, "the service is unhealthy", func() bool {
		return do(t, http.MethodGet, s.url+"/healthz", "").status == http.StatusServiceUnavailable
	})
	// An order that is paid and not announced is reported as a failure, and no span is
	// lost.
	during := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
	if during.status != http.StatusServiceUnavailable || during.body["code"] != "not_published" {
		t.Errorf("while the broker is away: status %d, body %v", during.status, during.body)
	}
	tr := s.wait(t, during.traceID, postOrders)
	for _, key := range []string{postOrders, placeOrder} {
		if sp := tr.all(key)[0]; sp.status != "error" || sp.attrs["error.type"] == nil {
			t.Errorf("%v: want an error", sp)
		}
	}
	way.open(t)
	eventually(t, "the service is healthy again", func() bool {
		return do(t, http.MethodGet, s.url+"/healthz", "").status == http.StatusOK
	})
	after := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
	s.wait(t, after.traceID, postOrders, s.mail)
}

func TestEventsWaitWhileRedisIsAway(t *testing.T) {
	redis := miniredis.RunT(t)
	opt, err := tasks.ParseRedis(redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, config.Config{Redis: opt})
	redis.SetError("LOADING Redis is loading the dataset in memory")
	r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
	tr := s.wait(t, r.traceID, postOrders, s.notify)
	first := tr.all(s.notify)[0]
	checkAttrs(t, first, attrs{"mqtrace.settlement": "requeue"})
	checkFine(t, first) // it will be tried again
	redis.SetError("")

	tr = s.wait(t, r.traceID, postOrders, s.notify, s.notify, s.mail)
	attempts := tr.all(s.notify)
	last := attempts[len(attempts)-1]
	checkAttrs(t, last, attrs{"mqtrace.settlement": "ack"})
	for _, attempt := range attempts {
		if attempt.parent != tr.all(s.publish)[0].id {
			t.Errorf("%v is not under the publish", attempt)
		}
	}
}

func TestAnEventDeliveredTwiceQueuesOneEmail(t *testing.T) {
	redis := miniredis.RunT(t)
	opt, err := tasks.ParseRedis(redis.Addr())
	if err != nil {
		t.Fatal(err)
	}
	// The first attempt at an email fails, and the second would come only after the test.
	s := newStageThatRetries(t, config.Config{Redis: opt}, time.Hour)
	event := []byte(`{"order_id":"ord-1","email":"flaky@example.com","total":1}`)
	first := s.publishRaw(t, publishing(event)).TraceID().String()
	s.wait(t, first, s.notify, s.mail) // so the task is still there
	second := s.publishRaw(t, publishing(event)).TraceID().String()
	tr := s.wait(t, second, s.notify, s.enqueue)
	checkAttrs(t, tr.all(s.notify)[0], attrs{"mqtrace.settlement": "ack"})
	checkFine(t, tr.all(s.notify)[0])
	checkFine(t, tr.all(s.enqueue)[0])
	inspector := asynq.NewInspector(opt)
	defer inspector.Close()
	eventually(t, "the second attempt is made", func() bool {
		n, err := inspector.RunAllRetryTasks(s.emailQueue)
		return err == nil && n == 1
	})
	s.wait(t, first, s.mail, s.mail)
	if tr, _ := s.trace(second); len(tr.all(s.mail)) != 0 {
		t.Error("a second email was queued")
	}
}

func TestAnEventThatNoQueueTakesIsNotAnnounced(t *testing.T) {
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
		if err := ch.QueueUnbind(s.queue, "order.*", s.exchange, nil); err != nil {
			t.Fatal(err)
		}
		r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
		if r.status != http.StatusServiceUnavailable || r.body["code"] != "not_published" {
			t.Errorf("status %d, body %v", r.status, r.body)
		}
		publish := s.wait(t, r.traceID, postOrders, s.publish).all(s.publish)[0]
		checkFailed(t, publish, "returned as unroutable", "NO_ROUTE")
		checkAttrs(t, publish, attrs{"mqtrace.publish.outcome": "returned"})
	})
}
