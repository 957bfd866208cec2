package faults_test

import (
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func startBroker(t *testing.T) *amqpbroker.Broker {
	t.Helper()
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func on(b *amqpbroker.Broker) brokers {
	return brokers{publishers: []string{b.URL()}, consumers: []string{b.URL()}, hasty: 100 * time.Millisecond}
}

func TestConnectionsCut(t *testing.T) {
	b := startBroker(t)
	l := startLoad(t, on(b))
	for range 2 {
		b.DelayConfirms(10 * time.Millisecond) // so that more are pending
		l.progress()
		b.DelayConfirms(time.Hour)
		wait := l.pending()
		b.CutConnections()
		b.DelayConfirms(0)
		wait()
	}
	l.progress()
	l.stop()
	l.some("publish closed")
	l.none("publish nacked")
}

// This broker keeps nothing, so messages may be lost with it.
func TestBrokerKilled(t *testing.T) {
	b := startBroker(t)
	l := startLoad(t, on(b))
	b.DelayConfirms(10 * time.Millisecond)
	l.progress()
	b.DelayConfirms(time.Hour)
	wait := l.pending()
	b.Kill()
	time.Sleep(100 * time.Millisecond) // let it try in vain
	l.ledger.excuse()
	again, err := amqpbroker.Listen(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	l.last = func() { _ = again.Close() }
	wait()
	l.progress()
	l.stop()
	l.some("publish closed")
	l.none("publish nacked")
}

func TestPublishersBlocked(t *testing.T) {
	b := startBroker(t)
	l := startLoad(t, on(b))
	b.BlockPublishers("low on memory")
	l.eventually("the hasty publisher gives up waiting", func() bool {
		return l.ledger.count("publish timeout") > 0
	})
	b.UnblockPublishers()
	l.progress()
	l.stop()
	l.some("publish timeout")
	l.none("publish closed")
	l.none("publish nacked")
}

func TestConfirmsRefused(t *testing.T) {
	b := startBroker(t)
	l := startLoad(t, on(b))
	b.RefuseConfirms(true)
	l.eventually("messages are refused", func() bool { return l.ledger.count("publish nacked") > 300 })
	b.RefuseConfirms(false)
	l.progress()
	l.stop()
	l.some("publish nacked")
	l.none("publish closed")
}

func TestConfirmsLate(t *testing.T) {
	b := startBroker(t)
	l := startLoad(t, on(b))
	b.DelayConfirms(150 * time.Millisecond)
	l.eventually("a confirmation comes too late", func() bool { return l.ledger.count("later acked") > 0 })
	b.DelayConfirms(0)
	l.progress()
	l.stop()
	l.some("publish timeout")
	l.none("publish closed")
	l.none("publish nacked")
}
