package faults_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// A publisher with nothing to publish while its connection comes and goes holds up nothing.
// amqp091-go blocks while its notifications are not received.
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
		ctx, cancel := context.WithTimeout(context.Background(), forGood)
		defer cancel()
		if err := pub.PublishConfirmed(ctx, "", "nowhere", false, false, message(1)); err != nil {
			t.Error(err)
		}
	}
	publish()
	for n := 1; n <= 4; n++ {
		began := time.Now()
		b.CutConnections()
		for k.recoveries() < n && time.Since(began) < forGood {
			time.Sleep(time.Millisecond)
		}
		t.Logf("recovery %d after %v", n, time.Since(began).Round(time.Millisecond))
		if k.recoveries() < n {
			t.Fatalf("recovery %d never comes", n)
		}
	}
	publish()
	if err := k.closed(); errors.Is(err, errStuck) {
		t.Error(err)
	}
}
