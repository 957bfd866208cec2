package tap_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
)

// Taps know of one another, and notice when one ends without announcing it.
func TestPresence(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		join := func() (*tap.Presence, *amqp.Connection) {
			t.Helper()
			conn, err := amqp.Dial(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() })
			p, err := tap.Join(conn)
			if err != nil {
				t.Fatal(err)
			}
			return p, conn
		}
		want := func(what string, want int, count func() (int, error)) {
			t.Helper()
			if got, err := count(); err != nil || got != want {
				t.Errorf("%s: %d others, %v, want %d", what, got, err, want)
			}
		}
		first, _ := join()
		want("alone", 0, first.Others)
		second, _ := join()
		_, killed := join()
		want("of three", 2, second.Others)
		want("first leaves", 2, first.Leave)
		if err := killed.Close(); err != nil {
			t.Fatal(err)
		}
		want("another has died", 0, second.Others)
		want("last leaves", 0, second.Leave)
		again, _ := join()
		want("later", 0, again.Leave)
	})
}
