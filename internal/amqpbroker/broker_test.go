package amqpbroker_test

import (
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestListenRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0"} {
		if _, err := amqpbroker.Listen(addr); !errors.Is(err, amqpbroker.ErrNotLoopback) {
			t.Errorf("Listen(%q): %v, want ErrNotLoopback", addr, err)
		}
	}
	b, err := amqpbroker.Listen("0.0.0.0:0", amqpbroker.AllowNonLoopback())
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
}
