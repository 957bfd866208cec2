package amqpbroker_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// amqp091-go's recovery sometimes forgets its own goroutines when a connection that has
	// recovered is closed. None of the broker's goroutines runs these functions.
	const client = "github.com/rabbitmq/amqp091-go."
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction(client+"(*Connection).watchConnection.func1"),
		goleak.IgnoreAnyFunction(client+"(*Channel).watchChannel.func1"),
		goleak.IgnoreAnyFunction(client+"(*consumers).buffer"))
}
