package orders_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
	"github.com/mqtrace/mqtrace/examples/testing/orders"
)

func TestOrderIsBilledAtTheSecondAttempt(t *testing.T) {
	b := amqptest.Start(t)
	b.DeclareQueue("billing", nil)
	b.DeclareExchange("orders", "topic")
	b.BindQueue("billing", "order.*", "orders")
	spans := amqptest.Record(t)
	spans.SetGlobal()

	attempts := 0
	go orders.Bill(context.Background(), b.Channel(), func(string) error {
		if attempts++; attempts == 1 {
			return errors.New("the bank does not answer")
		}
		return nil
	})
	if err := orders.Place(context.Background(), b.Channel(), "o-1"); err != nil {
		t.Fatal(err)
	}

	b.WaitMessages("billing", 0) // each message is settled
	spans.WantMessage("o-1",
		"publish orders acked",
		"process billing requeue error=*errors.errorString",
		"process billing ack")
}
