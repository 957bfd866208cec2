package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// A publisher that has nothing to publish while its connection comes and goes holds up
// nothing: amqp091-go waits for whoever does not take its notifications.
func TestIdlePublisher(t *testing.T) {
	b := startBroker(t)
	k := dial(t, b.URL())
	ch := k.channel(t)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	pub := amqptrace.NewPublisher(ch)
	publish := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		if err := pub.PublishConfirmed(ctx, "", "nowhere", false, false, message(1)); err != nil {
			t.Error(err)
		}
	}
	publish()
	for n := 1; n <= 4; n++ {
		began := time.Now()
		b.CutConnections()
		for k.recoveries() < n && time.Since(began) < 20*time.Second {
			time.Sleep(time.Millisecond)
		}
		t.Logf("recovery %d after %v", n, time.Since(began).Round(time.Millisecond))
		if time.Since(began) > 3*time.Second {
			t.Errorf("recovery %d took %v", n, time.Since(began))
		}
	}
	began := time.Now()
	publish()
	_ = k.Close()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("closing took %v", took)
	}
}
