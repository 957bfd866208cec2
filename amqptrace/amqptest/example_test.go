package amqptest_test

import (
	"context"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

// An order is refused by its consumer at first, and then billed.
func Example() {
	t := new(exampleT) // in a test, its *testing.T
	defer t.end()

	b := amqptest.Start(t)
	b.DeclareQueue("billing", nil)
	spans := amqptest.Record(t)

	ch := b.Channel()
	pub := amqptrace.NewPublisher(ch, spans.Options()...)
	err := pub.PublishConfirmed(context.Background(), "", "billing", true, false, amqp.Publishing{MessageId: "o-1"})
	if err != nil {
		t.Fatalf("%v", err)
	}
	fmt.Println(len(b.Messages("billing")), "waits")

	handle := amqptrace.NewConsumer("billing", spans.Options()...).Handler(
		func(_ context.Context, d amqp.Delivery) error {
			if !d.Redelivered {
				return d.Nack(false, true)
			}
			return d.Ack(false)
		})
	for range 2 {
		d, _, err := ch.Get("billing", false)
		if err != nil {
			t.Fatalf("%v", err)
		}
		_ = handle(context.Background(), d)
	}
	b.WaitMessages("billing", 0)

	spans.WantMessage("o-1",
		"publish amq.default acked",
		"process billing requeue",
		"process billing ack")
	for _, s := range spans.Message("o-1") {
		fmt.Println(s)
	}
	// Output:
	// 1 waits
	// publish amq.default acked
	// process billing requeue
	// process billing ack
}

// exampleT stands for a test, which an example does not have.
type exampleT struct{ cleanups []func() }

func (t *exampleT) Helper()                           {}
func (t *exampleT) Cleanup(f func())                  { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *exampleT) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (t *exampleT) end() {
	for len(t.cleanups) > 0 {
		last := len(t.cleanups) - 1
		t.cleanups[last]()
		t.cleanups = t.cleanups[:last]
	}
}
