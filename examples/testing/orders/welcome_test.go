package orders_test

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/examples/testing/orders"
)

func TestCustomerIsWelcomed(t *testing.T) {
	spans := amqptest.Record(t)
	spans.SetGlobal()
	redis := asynq.RedisClientOpt{Addr: miniredis.RunT(t).Addr()}
	client := asynqtrace.NewClient(asynq.NewClient(redis))
	defer client.Close()
	worker := asynq.NewServer(redis, asynqtrace.Config(asynq.Config{LogLevel: asynq.FatalLevel}))
	if err := worker.Start(orders.Mux(func(string) error { return nil })); err != nil {
		t.Fatal(err)
	}
	defer worker.Shutdown()

	if err := orders.Welcome(context.Background(), client, "c-1"); err != nil {
		t.Fatal(err)
	}

	spans.WantMessage("c-1", "enqueue default", "process default done")
}
