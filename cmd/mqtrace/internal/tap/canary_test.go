package tap_test

import (
	"context"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

// control turns the firehose on or off as the tool does: RabbitMQ's by rabbitmqctl. The
// in-process broker has no rabbitmqctl; TestControlCommand tests the command.
func (s *scene) control(on bool) {
	s.t.Helper()
	if s.s.InProcess != nil {
		s.s.Trace(s.t, on)
		return
	}
	ok(s.t, tap.Control{Command: firehosetest.Command(), VHost: s.s.VHost}.Set(s.t.Context(), on))
}

// Canaries show whether the firehose is on or off, and do not count, whatever the tap is
// bound to.
func TestOn(t *testing.T) {
	onFirehose(t, tap.Config{Keys: []string{"#"}, Roots: true}, func(t *testing.T, s *scene) {
		s.s.Trace(t, false)
		conn, err := amqp.Dial(s.s.URL)
		ok(t, err)
		defer conn.Close()
		deaf, err := tap.Open(conn, tap.Config{TracerProvider: sdktrace.NewTracerProvider(), Keys: []string{"publish.nothing"}, MaxRate: 1})
		ok(t, err)
		defer deaf.Close()
		is := func(want bool) {
			t.Helper()
			for range 3 {
				for name, tp := range map[string]*tap.Tap{"the tap": s.tap, "the deaf tap": deaf} {
					if on, err := tp.On(t.Context()); on != want || err != nil {
						t.Errorf("%s: on %v, %v", name, on, err)
					}
				}
			}
		}
		is(false)
		s.control(true)
		ok(t, s.tap.AwaitOn(t.Context()))
		ok(t, deaf.AwaitOn(t.Context()))
		is(true)
		s.control(false)
		// What the firehose sent before it was turned off counts as on, and comes first.
		for name, tp := range map[string]*tap.Tap{"the tap": s.tap, "the deaf tap": deaf} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			for on := true; on; {
				if on, err = tp.On(ctx); err != nil {
					t.Fatalf("%s is on, and was turned off: %v", name, err)
				}
			}
			cancel()
		}
	})
}

// A tap's own canaries become no spans and are not counted.
func TestCanariesDoNotCount(t *testing.T) {
	onFirehose(t, tap.Config{Roots: true}, func(t *testing.T, s *scene) {
		s.turnOn()
		if on, err := s.tap.On(t.Context()); !on || err != nil {
			t.Errorf("on %v, %v", on, err)
		}
		if stats := s.run(0); stats.Backlog != 0 || stats.Spans != 0 {
			t.Errorf("stats %v", stats)
		}
	})
}
