package main

import (
	"context"
	"encoding/xml"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// A contender that takes twice the time has a ratio of two, in the table and in the plot,
// and is held to the limit. The clock is that of the synctest bubble.
func TestRatio(t *testing.T) {
	sleeper := func(name string, k kind, d time.Duration) contender {
		return contender{name: name, kind: k, start: func(trace.TracerProvider) (work, error) {
			return repeat(func() error { time.Sleep(d); return nil }), nil
		}}
	}
	synctest.Test(t, func(t *testing.T) {
		c := contest{operation: "publish", sampling: "sampled", limit: 2, contenders: []contender{
			sleeper(byHand, baseline, 100), sleeper("amqptrace", ours, 200), sleeper("kotel", peer, 300),
		}}
		if err := c.measure(5); err != nil {
			t.Fatal(err)
		}
		if err := c.beyond(); err != nil {
			t.Error(err)
		}
		c.limit = 1.99
		if err := c.beyond(); err == nil || err.Error() != "publish, sampled: amqptrace is 2.00 of by hand, beyond 1.99" {
			t.Error(err)
		}
		text, err := page([]contest{c})
		for _, row := range []string{"| by hand | 100 | 1.00 |", "| amqptrace | 200 | 2.00 |", "| kotel | 300 | 3.00 |"} {
			if err != nil || !strings.Contains(text, row) {
				t.Errorf("%v, or no %s in\n%s", err, row, text)
			}
		}
		svg := plot([]contest{c})
		if err := xml.Unmarshal([]byte(svg), new(struct{})); err != nil || !strings.Contains(svg, "2.00 (200 ns)") {
			t.Errorf("%v\n%s", err, svg)
		}
	})
}

// All contenders work, those on servers included if they are named.
func TestContests(t *testing.T) {
	for _, c := range append(onNothing(), endToEnd()...) {
		if err := c.measure(3); err != nil {
			t.Error(c.title(), err)
		}
		for _, of := range c.contenders {
			if of.nanoseconds <= 0 || of.ratio <= 0 {
				t.Errorf("%s, %s: %v ns, %v", c.title(), of.name, of.nanoseconds, of.ratio)
			}
		}
	}
	if err := alone("process", "noop", "amqptrace", 3); err != nil {
		t.Error(err)
	}
}

// A bad server URL is an error that does not show its password, a lost message is an error
// after a while, and a missing valgrind is not an error.
func TestWhatIsMissing(t *testing.T) {
	if _, err := onRedis("redis://:secret@host:no", queue, nil); err == nil || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	synctest.Test(t, func(t *testing.T) {
		handled := make(chan struct{}, 1)
		handled <- struct{}{}
		err := turnOf(func(context.Context) (func(context.Context) error, error) {
			return func(context.Context) error { return nil }, nil
		}, handled)(2)
		if err == nil || !strings.Contains(err.Error(), "1 of 2 messages") {
			t.Error(err)
		}
	})
	t.Setenv("PATH", "")
	c := onNothing()[0]
	if err := c.count(t.Context()); err != nil || c.contenders[0].instructions != "no valgrind" {
		t.Errorf("%q, %v", c.contenders[0].instructions, err)
	}
}
