package faults_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load is publishers and consumers of one queue that keep running while things break.
type load struct {
	t      *testing.T
	queue  string
	hasty  time.Duration // the timeout of the impatient publisher
	spans  *spans
	ledger *ledger
	links  map[string]*link
	cancel context.CancelFunc
	last   func() // stops what was started after the load
	single *amqptrace.Publisher

	publishing, consuming, watching sync.WaitGroup

	began      time.Time
	goroutines goleak.Option
	baseline   int
}

// brokers are the addresses for the two connections of a load, each with alternatives for
// when the first is away.
type brokers struct {
	publishers, consumers []string
	queueArguments        amqp.Table
	hasty                 time.Duration // by default, a second
	heartbeat             time.Duration // by default, a minute
	exporting             sdktrace.SpanProcessor
}

func startLoad(t *testing.T, b brokers) *load {
	t.Helper()
	l := &load{
		t: t, queue: fmt.Sprintf("mqtrace-faults-%d-%d", os.Getpid(), time.Now().UnixNano()), hasty: b.hasty,
		spans: &spans{said: counts{}, exporting: b.exporting}, ledger: newLedger(), began: time.Now(),
		goroutines: goleak.IgnoreCurrent(), baseline: runtime.NumGoroutine(),
	}
	if l.hasty == 0 {
		l.hasty = time.Second
	}
	if b.heartbeat == 0 {
		b.heartbeat = time.Minute
	}
	l.links = map[string]*link{
		"publishers": dialWith(t, b.heartbeat, b.publishers...), "consumers": dialWith(t, b.heartbeat, b.consumers...),
	}
	// Either connection may recover first on a broker that has lost the queue: both declare
	// it.
	for _, name := range []string{"publishers", "consumers"} {
		_, err := l.links[name].channel(t).QueueDeclare(l.queue, true, false, false, false, b.queueArguments)
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	t.Cleanup(func() { // if the test has failed
		cancel()
		_, _ = l.links["publishers"].Close(), l.links["consumers"].Close()
	})
	l.consumers(t, l.links["consumers"])
	l.publishers(ctx, t, l.links["publishers"])
	ch := l.links["publishers"].channel(t)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	l.watch(ch)
	l.single = amqptrace.NewPublisher(ch, l.spans.options()...)
	l.progress()
	return l
}

// watch counts the channel errors caused by settlements with a tag of an earlier channel.
func (l *load) watch(ch *amqp.Channel) {
	closings := ch.NotifyClose(make(chan *amqp.Error, 16))
	l.watching.Go(func() {
		for err := range closings {
			if err.Code == amqp.FrameError {
				continue // the host's own, at the end of a connection
			}
			l.ledger.saw(fmt.Sprintf("channel error %d", err.Code))
			if err.Code == amqp.PreconditionFailed {
				l.t.Errorf("stale settlement: %v", err)
			}
		}
	})
}

// pending publishes a message, and returns a function that waits for its outcome. If the
// broker is kept from confirming beforehand, a confirmation is certain to be pending when
// the fault comes: on a busy machine, the publishers may have none pending.
func (l *load) pending() (wait func()) {
	l.t.Helper()
	k := l.links["publishers"]
	k.wait(context.Background()) // until it has recovered from the last fault
	id := l.ledger.next()
	c, err := l.single.PublishDeferred(context.Background(), "", l.queue, true, false, message(id))
	if err != nil {
		l.t.Fatal(err)
	}
	return func() { l.confirm(k, sent{id, c}, forGood) }
}

// progress returns once a number of further messages were confirmed and processed.
func (l *load) progress() {
	l.t.Helper()
	const further = 300
	confirmed, settled := l.ledger.count("publish acked"), l.ledger.count("process ack")
	began := time.Now()
	l.eventually("messages are confirmed and processed", func() bool {
		return l.ledger.count("publish acked") > confirmed+further && l.ledger.count("process ack") > settled+further
	})
	l.t.Logf("%d further messages confirmed and processed after %v", further, time.Since(began).Round(time.Millisecond))
}

func (l *load) eventually(what string, is func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(forGood); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("not within %v: %s", forGood, what)
		}
	}
}

// stop ends the load and asserts what must hold after every fault.
func (l *load) stop() {
	l.t.Helper()
	l.cancel()
	l.publishing.Wait()
	l.eventually("every confirmed message is processed", func() bool { return len(l.ledger.missing()) == 0 })
	_, _ = l.links["consumers"].channel(l.t).QueueDelete(l.queue, false, false, false)
	for name, k := range l.links {
		if err := k.closed(); err != nil {
			l.t.Errorf("closing the connection of the %s: %v", name, err)
		}
	}
	l.consuming.Wait()
	l.watching.Wait()
	l.eventually("every span ends", func() bool {
		runtime.GC() // forgotten confirmations end their spans when they are collected
		return l.spans.open() == 0
	})
	l.compare()
	if l.last != nil {
		l.last()
	}
	if err := goleak.Find(l.goroutines); err != nil {
		l.t.Error(err)
	}
	l.print()
}

// compare compares what the spans say with the results that the program got.
func (l *load) compare() {
	l.t.Helper()
	for _, what := range []string{
		"publish timeout", "publish no outcome",
		"process ack", "process requeue", "process no outcome", "batch ack", "batch no outcome",
	} {
		if got, want := l.spans.count(what), l.ledger.count(what); got != want {
			l.t.Errorf("%d spans say %q, the program saw %d", got, what, want)
		}
	}
	// The span of a forgotten confirmation records what is known.
	forgotten := l.spans.count("publish unconfirmed")
	for _, what := range []string{"publish acked", "publish nacked", "publish returned", "publish closed"} {
		more := l.spans.count(what) - l.ledger.count(what)
		if what == "publish closed" {
			more += l.spans.count("publish unknown") // ErrClosed too
		}
		if more < 0 {
			l.t.Errorf("%d spans say %q, the program saw %d", l.spans.count(what), what, l.ledger.count(what))
		}
		forgotten += more
	}
	if want := l.ledger.count("publish forgotten"); forgotten != want {
		l.t.Errorf("%d spans are of forgotten confirmations, the program forgot %d", forgotten, want)
	}
	if l.spans.unlinked > 0 {
		l.t.Errorf("%d process spans are not linked to their message", l.spans.unlinked)
	}
	if n := l.ledger.count("publish unknown"); n > 0 {
		l.t.Errorf("%d publishes with an outcome that the test does not know", n)
	}
}

func (l *load) print() {
	l.t.Helper()
	sent, confirmed, twice := l.ledger.numbers()
	l.t.Logf("%v: %d messages sent, %d confirmed, 0 of them lost, %d processed more than once; recoveries: publishers %d, consumers %d",
		time.Since(l.began).Round(time.Millisecond), sent, confirmed, twice,
		l.links["publishers"].recoveries(), l.links["consumers"].recoveries())
	l.t.Logf("program: %v", l.ledger.seen)
	l.t.Logf("spans: %d started, %d ended; %v", l.spans.started, l.spans.ended, l.spans.said)
	l.t.Logf("goroutines: %d before, %d after", l.baseline, runtime.NumGoroutine())
}

// none asserts that no span has an outcome.
func (l *load) none(what string) {
	l.t.Helper()
	if n := l.spans.count(what); n > 0 {
		l.t.Errorf("%d spans say %q", n, what)
	}
}

// some asserts that there are spans with an outcome.
func (l *load) some(what string) {
	l.t.Helper()
	if l.spans.count(what) == 0 {
		l.t.Errorf("no span says %q", what)
	}
}
