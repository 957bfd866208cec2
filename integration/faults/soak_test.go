//go:build load

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
)

var soakMessages = flag.Int64("soak", 20_000, "messages of TestSoak")

// stages is how often memory is read, and connections are cut.
const stages = 20

// backlog is how far the publisher may be ahead of the consumer: messages in the in-process
// broker's queue use this process's memory.
const backlog = 1000

// TestSoak sends many messages through publishers and consumers whose connections are
// cut now and then, and asserts that nothing piles up: memory, goroutines, spans that
// do not end.
func TestSoak(t *testing.T) {
	s := startSoak(t, *soakMessages)
	readings := make([]reading, 0, stages)
	for i := range int64(stages) {
		s.reach((i + 1) * s.messages / stages)
		r := s.read(readings)
		readings = append(readings, r)
		t.Logf("%9d messages, %2d recoveries: %v", s.processed.Load(), s.publishers.recoveries()+s.consumers.recoveries(), r)
		if i < stages-1 {
			s.cut([]*link{s.publishers, s.consumers}[i%2])
		}
	}
	s.stop()
	early, late := readings[stages/4:stages/2], readings[3*stages/4:]
	holds(t, "live heap", early, late, 2<<20, func(r reading) uint64 { return r.heap })
	holds(t, "resident memory", early, late, 16<<20, func(r reading) uint64 { return r.resident })
	if started, ended := s.spans.started.Load(), s.spans.ended.Load(); started != ended || started < 2*s.messages {
		t.Errorf("%d spans started, %d ended", started, ended)
	}
	if lost := s.lost(); lost > 0 {
		t.Errorf("%d of %d confirmed messages were never processed", lost, s.confirmed.Load())
	}
	t.Logf("%d spans started and ended", s.spans.ended.Load())
}

// soak is two connections and the messages that go over them.
type soak struct {
	t                     *testing.T
	queue                 string
	messages              int64
	spans                 *tally
	publishers, consumers *link
	confirmed, processed  atomic.Int64
	publishing, consuming sync.WaitGroup

	mu sync.Mutex
	// owed has the numbers of messages of which one half is missing: true if they were
	// confirmed and not processed yet, false for the reverse.
	owed map[int64]bool
}

// settle keeps only the messages of which one half is missing.
func (s *soak) settle(number int64, confirmed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, there := s.owed[number]; there && was != confirmed {
		delete(s.owed, number)
	} else {
		s.owed[number] = confirmed
	}
}

// lost returns how many messages were confirmed and never processed.
func (s *soak) lost() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, confirmed := range s.owed {
		if confirmed {
			n++
		}
	}
	return n
}

func startSoak(t *testing.T, messages int64) *soak {
	t.Helper()
	url := os.Getenv("MQTRACE_AMQP_URL")
	if url == "" {
		url = startBroker(t).URL()
	}
	s := &soak{
		t: t, messages: messages, spans: &tally{}, queue: fmt.Sprintf("mqtrace-soak-%d", os.Getpid()),
		publishers: dial(t, url), consumers: dial(t, url), owed: make(map[int64]bool),
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { // also if the test has failed
		cancel()
		_, _ = s.publishers.Close(), s.consumers.Close()
		s.publishing.Wait()
		s.consuming.Wait()
		remove(t, url, s.queue)
	})
	options := []amqptrace.Option{
		amqptrace.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(s.spans))),
		amqptrace.WithPropagators(propagation.TraceContext{}), amqptrace.WithQueueTime(),
	}
	in, out := s.consumers.channel(t), s.publishers.channel(t)
	if _, err := in.QueueDeclare(s.queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := in.Qos(4*window, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := in.Consume(s.queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Confirm(false); err != nil {
		t.Fatal(err)
	}
	s.consuming.Go(func() { s.consume(amqptrace.NewConsumer(s.queue, options...), deliveries) })
	s.publishing.Go(func() { s.publish(ctx, amqptrace.NewPublisher(out, options...)) })
	return s
}

// publish goes on until enough messages are confirmed, with many in flight.
func (s *soak) publish(ctx context.Context, pub *amqptrace.Publisher) {
	pending := make(chan sent, 4*window)
	s.publishing.Go(func() {
		for m := range pending {
			if err := m.confirmation.Wait(context.Background()); err == nil {
				s.confirmed.Add(1)
				s.settle(int64(m.id), true)
			} else if !errors.Is(err, amqp.ErrClosed) && !errors.Is(err, amqptrace.ErrNacked) {
				s.t.Error(err)
			}
		}
	})
	defer close(pending)
	msg := amqp.Publishing{Body: bytes.Repeat([]byte("order "), 40)}
	for id := 1; s.confirmed.Load() < s.messages && s.publishers.wait(ctx); id++ {
		if s.confirmed.Load()-s.processed.Load() > backlog {
			time.Sleep(time.Millisecond)
			continue
		}
		// Each message is the root of a trace of its own.
		msg.MessageId = itoa(id)
		c, err := pub.PublishDeferred(context.Background(), "", s.queue, true, false, msg)
		if err != nil {
			time.Sleep(time.Millisecond) // amqp091-go has just begun to recover
			continue
		}
		pending <- sent{id, c}
	}
}

func (s *soak) consume(c *amqptrace.Consumer, deliveries <-chan amqp.Delivery) {
	for _, d := range c.Deliveries(context.Background(), deliveries) {
		if d.Ack(false) == nil {
			s.processed.Add(1)
		}
		s.settle(int64(number(d)), false)
	}
}

// reach returns once that many messages were processed.
func (s *soak) reach(messages int64) {
	s.t.Helper()
	last, since := s.processed.Load(), time.Now()
	for s.processed.Load() < messages {
		time.Sleep(5 * time.Millisecond)
		if now := s.processed.Load(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > forGood {
			s.t.Fatalf("no message in %v; %d processed, %d confirmed", forGood, now, s.confirmed.Load())
		}
	}
}

// cut cuts a connection in use and returns once it has recovered.
func (s *soak) cut(k *link) {
	s.t.Helper()
	before := k.recoveries()
	k.mu.Lock()
	_ = k.socket.Close()
	k.mu.Unlock()
	for deadline := time.Now().Add(forGood); k.recoveries() == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("the connection does not recover")
		}
	}
}

// stop returns once all confirmed messages are processed, or never will be.
func (s *soak) stop() {
	s.t.Helper()
	s.publishing.Wait()
	for deadline := time.Now().Add(forGood); s.lost() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	_, _ = s.publishers.Close(), s.consumers.Close()
	s.consuming.Wait()
}

// remove deletes a queue over a separate connection.
func remove(t *testing.T, url, queue string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err == nil {
		_, err = ch.QueueDelete(queue, false, false, false)
	}
	if err != nil {
		t.Error(err)
	}
}
