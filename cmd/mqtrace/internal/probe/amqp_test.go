package probe_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/probe"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func TestDeadLettered(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		last := s.queue("last", nil)
		retry := s.queue("retry", amqp.Table{
			"x-message-ttl": int32(20), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": last,
		})
		began := time.Now()
		r := s.probe(probe.Route{From: probe.Binding{Key: retry}, Queue: last})
		took := time.Since(began).Seconds()
		s.want(r, probe.Survived, probe.Unchanged, probe.Unchanged, probe.Unchanged)
		want := []probe.Hop{{Kind: "dead letter", Detail: `from queue "` + retry + `", expired, 1 time`}}
		if got := r.Places[0].Hops; !reflect.DeepEqual(got, want) {
			t.Errorf("hops %v, want %v", got, want)
		}
		if s := r.Places[0].Seconds; s < 0.02 || s > took {
			t.Errorf("took %v s, and the probe as a whole %v s", s, took)
		}
	})
}

// The headers of shovels and federation are as their plugins write them.
func TestHops(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		first, last := s.queue("first", nil), s.queue("last", nil)
		s.middleman(first, "", last, func(h amqp.Table) amqp.Table {
			h["x-shovelled"] = []any{
				amqp.Table{"shovelled-by": "c2", "shovel-type": "dynamic", "shovel-name": "second", "src-uri": "amqp://u:geheim@h", "dest-queue": "b"},
				"no table",
				amqp.Table{"shovel-name": "first", "src-queue": "a"},
			}
			h["x-received-from"] = []any{amqp.Table{"uri": "amqp://u:geheim@h", "exchange": "orders", "cluster-name": "paris"}}
			h["x-death"] = "no list"
			return h
		})
		r := s.probe(probe.Route{From: probe.Binding{Key: first}, Queue: last})
		want := []probe.Hop{
			{Kind: "shovel", Detail: `shovel-name "first", src-queue "a"`},
			{Kind: "shovel", Detail: `shovel-name "second", dest-queue "b"`},
			{Kind: "federation", Detail: `cluster-name "paris", exchange "orders"`},
		}
		if got := r.Places[0].Hops; !reflect.DeepEqual(got, want) {
			t.Errorf("hops %v, want %v", got, want)
		}
		var text strings.Builder
		ok(t, r.WriteText(&text))
		if strings.Contains(text.String(), "geheim") {
			t.Errorf("a password is shown: %s", text.String())
		}
	})
}

func TestUnroutable(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.queue("q", nil)
		x := s.exchange("x")
		// The broker's answer ends it: its own timeout is an hour.
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		r, err := probe.AMQP(ctx, s.conn, probe.Route{From: probe.Binding{Exchange: x, Key: "k"}, Queue: q, Timeout: time.Hour})
		ok(t, err)
		s.want(r, probe.Unroutable)
		if !strings.Contains(r.Reason, "312 NO_ROUTE") {
			t.Errorf("reason %s", r.Reason)
		}
	})
}

func TestRefused(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.queue("q", nil)
		full := s.queue("full", amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
		r := s.probe(probe.Route{From: probe.Binding{Key: full}, Queue: q})
		s.want(r, probe.NotArrived)
		if !strings.Contains(r.Reason, "basic.nack") {
			t.Errorf("reason %q", r.Reason)
		}
	})
}

// If the broker closes the channel because of the message, the error has its reason.
func TestChannelIsClosed(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q, x := s.queue("q", nil), s.prefix+"internal"
		ok(t, s.ch.ExchangeDeclare(x, "topic", false, false, true, false, nil)) // internal: nobody may publish to it
		t.Cleanup(func() { _ = s.ch.ExchangeDelete(x, false, false) })
		_, err := probe.AMQP(t.Context(), s.conn, probe.Route{From: probe.Binding{Exchange: x, Key: "k"}, Queue: q, Timeout: patience})
		var reason *amqp.Error
		if !errors.As(err, &reason) || reason.Code != amqp.AccessRefused {
			t.Errorf("error %v, want ACCESS_REFUSED", err)
		}
	})
}

// The probe ends although a broker that blocks publishers answers nothing.
func TestPublishersAreBlocked(t *testing.T) {
	b, err := amqpbroker.Start()
	ok(t, err)
	defer b.Close()
	s := newScene(t, b.URL())
	q, elsewhere := s.queue("q", nil), s.queue("elsewhere", nil)
	x := s.exchange("x")
	b.BlockPublishers("low on memory")
	for _, route := range []probe.Route{
		{From: probe.Binding{Key: elsewhere}, Queue: q, Timeout: 100 * time.Millisecond},
		{From: probe.Binding{Exchange: x, Key: "k"}, Via: []probe.Binding{{Exchange: x, Key: "#"}}, Timeout: 100 * time.Millisecond},
	} {
		conn, err := amqp.Dial(b.URL())
		ok(t, err)
		done := make(chan error, 1)
		go func() {
			r, err := probe.AMQP(t.Context(), conn, route)
			if err == nil && route.Queue != "" && (r.Outcome != probe.NotArrived || !strings.Contains(r.Reason, "does it block publishers?")) {
				err = fmt.Errorf("outcome %s, %s", r.Outcome, r.Reason)
			}
			done <- err
		}()
		select {
		case err := <-done:
			ok(t, err)
		case <-time.After(patience):
			t.Fatal("it hangs")
		}
	}
}

// A stream would keep the message, so nothing is sent.
func TestStream(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		name := s.prefix + "stream"
		_, err := s.ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "stream"})
		if s.conn.Properties["version"] == nil { // the in-process broker has no streams
			if err == nil {
				t.Error("a stream was declared")
			}
			return
		}
		ok(t, err)
		t.Cleanup(func() { _, _ = s.ch.QueueDelete(name, false, false, false) })
		_, err = probe.AMQP(t.Context(), s.conn, probe.Route{From: probe.Binding{Key: name}, Queue: name, Timeout: patience})
		if err == nil || !strings.Contains(err.Error(), "is a stream") || !strings.Contains(err.Error(), "nothing was sent") {
			t.Errorf("error %v", err)
		}
	})
}

// A message that does not arrive expires in the queue that it went to instead.
func TestNotArrived(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		elsewhere, q := s.queue("elsewhere", nil), s.queue("q", nil)
		r := s.probe(probe.Route{From: probe.Binding{Key: elsewhere}, Queue: q, Timeout: 100 * time.Millisecond})
		s.want(r, probe.NotArrived)
		if !strings.Contains(r.Reason, "not there after 100ms") || !strings.Contains(r.Reason, r.ID) {
			t.Errorf("reason %q", r.Reason)
		}
		d, found, err := s.ch.Get(elsewhere, true)
		if err != nil || !found || d.Expiration != "10100" {
			t.Errorf("found %v, expiration %q, %v", found, d.Expiration, err)
		}
	})
}

func TestTemporary(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		busy := s.queue("busy", nil)
		x := s.exchange("x", busy)
		s.publish("", busy, amqp.Publishing{Body: []byte("theirs")})
		r := s.probe(probe.Route{From: probe.Binding{Exchange: x, Key: "k"}})
		s.want(r, probe.Survived, probe.Unchanged, probe.Unchanged, probe.Unchanged)
		if got := r.Places[0].Fields[2].Type; got != "S" {
			t.Errorf("type %s", got)
		}
		s.wantBodies(busy, false, "theirs", `{"mqtrace_probe":"`+r.ID+`"}`)
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "every other queue to which the exchange") || !strings.Contains(r.Notes[0], r.ID) {
			t.Errorf("the other queue is not mentioned: %q", r.Notes)
		}
	})
}

func TestBusy(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.queue("q", nil)
		for _, body := range []string{"1", "2", "3"} {
			s.publish("", q, amqp.Publishing{Body: []byte(body)})
		}
		s.wantMessages(q, 3)
		_, err := probe.AMQP(t.Context(), s.conn, probe.Route{From: probe.Binding{Key: q}, Queue: q, Timeout: patience})
		if !errors.Is(err, probe.ErrBusy) || !strings.Contains(err.Error(), "3 messages and 0 consumers") {
			t.Errorf("error %v", err)
		}
		s.wantBodies(q, false, "1", "2", "3")

		deliveries, err := s.ch.Consume(q, "", true, false, false, false, nil)
		ok(t, err)
		_, err = probe.AMQP(t.Context(), s.conn, probe.Route{From: probe.Binding{Key: q}, Queue: q, Timeout: patience})
		if !errors.Is(err, probe.ErrBusy) || !strings.Contains(err.Error(), "0 messages and 1 consumer:") {
			t.Errorf("error %v", err)
		}
		s.publish("", q, amqp.Publishing{Body: []byte("mark")})
		if d := <-deliveries; string(d.Body) != "mark" {
			t.Errorf("the consumer was given %q", d.Body)
		}
	})
}

// start runs a probe of a queue that its message never gets to, and returns when the
// message has been sent.
func (s *scene) start(queue string) <-chan *probe.Result {
	s.t.Helper()
	elsewhere := s.queue("elsewhere", nil)
	done := make(chan *probe.Result, 1)
	go func() { done <- s.probe(probe.Route{From: probe.Binding{Key: elsewhere}, Queue: queue}) }()
	s.wantMessages(elsewhere, 1)
	return done
}

func TestOthersArrive(t *testing.T) {
	tests := map[string]struct {
		publish     func(s *scene, q string)
		reason      string
		redelivered bool
		bodies      []string
	}{
		"one": {func(s *scene, q string) { s.publish("", q, amqp.Publishing{Body: []byte("1")}) },
			"was put back", true, []string{"1"}},
		// In a transaction they arrive at once.
		"several": {func(s *scene, q string) {
			ok(s.t, s.ch.Tx())
			for _, body := range []string{"1", "2", "3"} {
				s.publish("", q, amqp.Publishing{Body: []byte(body)})
			}
			ok(s.t, s.ch.TxCommit())
		}, "", false, []string{"1", "2", "3"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			onBroker(t, func(t *testing.T, s *scene) {
				q := s.queue("q", nil)
				done := s.start(q)
				tt.publish(s, q)
				r := <-done
				s.want(r, probe.NotArrived)
				if !strings.Contains(r.Reason, tt.reason) {
					t.Errorf("reason %q", r.Reason)
				}
				if name == "one" {
					s.wantBodies(q, tt.redelivered, tt.bodies...)
					return
				}
				// RabbitMQ may deliver one before the others: then it is put back.
				s.wantMessages(q, len(tt.bodies))
				for _, body := range tt.bodies {
					if d, found, err := s.ch.Get(q, true); err != nil || !found || string(d.Body) != body {
						t.Errorf("got %v %q, %v; want %q", found, d.Body, err, body)
					}
				}
			})
		})
	}
}

func TestConsumerComes(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.queue("q", nil)
		done := s.start(q)
		_, err := s.ch.Consume(q, "", true, true, false, false, nil)
		ok(t, err) // exclusive: the probe is not in its way
		r := <-done
		s.want(r, probe.NotArrived)
		if !strings.Contains(r.Reason, "the queue got a consumer") {
			t.Errorf("reason %q", r.Reason)
		}
	})
}

// The end of a consumer would delete the queue.
func TestAutoDeleteQueueStays(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.prefix + "q"
		_, err := s.ch.QueueDeclare(q, false, true, false, false, nil)
		ok(t, err)
		defer s.ch.QueueDelete(q, false, false, false)
		r := s.probe(probe.Route{From: probe.Binding{Key: q}, Queue: q})
		s.want(r, probe.Survived, probe.Unchanged, probe.Unchanged, probe.Unchanged)
		s.wantMessages(q, 0)
	})
}

func TestQuorumQueue(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.queue("q", amqp.Table{"x-queue-type": "quorum"})
		r := s.probe(probe.Route{From: probe.Binding{Key: q}, Queue: q})
		s.want(r, probe.Survived, probe.Unchanged, probe.Unchanged, probe.Unchanged)
		s.wantMessages(q, 0)
	})
}

func TestNoSuchThing(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		q := s.queue("q", nil)
		for what, r := range map[string]probe.Route{
			"no queue 'none'":    {From: probe.Binding{Key: q}, Queue: "none"},
			"no exchange 'none'": {From: probe.Binding{Exchange: "none"}, Queue: q},
			"exchange \"none\"":  {From: probe.Binding{Key: q}, Queue: q, Via: []probe.Binding{{Exchange: "none"}}},
		} {
			r.Timeout = patience
			if _, err := probe.AMQP(t.Context(), s.conn, r); err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%v: error %v", what, err)
			}
		}
		s.wantMessages(q, 0)
	})
}

func TestInterrupted(t *testing.T) {
	onBroker(t, func(t *testing.T, s *scene) {
		elsewhere, q := s.queue("elsewhere", nil), s.queue("q", nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := probe.AMQP(ctx, s.conn, probe.Route{From: probe.Binding{Key: elsewhere}, Queue: q, Timeout: patience})
			done <- err
		}()
		s.wantMessages(elsewhere, 1)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "will expire") {
			t.Errorf("error %v", err)
		}
	})
}
