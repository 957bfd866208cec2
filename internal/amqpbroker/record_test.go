package amqpbroker_test

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	settle = 500 * time.Millisecond // to wait for what may follow a command
	// RabbitMQ takes three seconds to end a connection that it refused.
	settleLast = 4 * time.Second
)

// record plays the scenarios of a script and writes them back with what was received.
func record(t *testing.T, file, server string) {
	release := serverRelease(t, server)
	scenarios := readScript(t, file)
	var wait sync.WaitGroup
	atOnce := make(chan struct{}, 12)
	for _, s := range scenarios {
		if !strings.Contains(s.name, *onlyScenario) {
			continue
		}
		wait.Go(func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			s.record(newPlay(t, server), release)
		})
	}
	wait.Wait()
	var text strings.Builder
	for _, s := range scenarios {
		text.WriteString(s.String())
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s scenario) record(p *play, release string) {
	defer p.end()
	for i, step := range s.steps {
		p.do(step.command)
		came := p.received(settle)
		if i == len(s.steps)-1 && len(came) == 0 {
			came = p.received(settleLast)
		}
		step.answers[release] = came
	}
}

// received returns what arrives until nothing does for a while.
func (p *play) received(wait time.Duration) []answer {
	var all []answer
	for _, name := range []string{"A", "B"} {
		c, ok := p.conns[name]
		for ok {
			var got string
			if got, ok = c.next(wait); ok {
				all = append(all, answer{name, p.shorten(got)})
			}
		}
	}
	return all
}
