package machinery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	lib "github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/null"
	amqpbroker "github.com/RichardKnop/machinery/v2/brokers/amqp"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	"github.com/RichardKnop/machinery/v2/tasks"
	amqp "github.com/rabbitmq/amqp091-go"

	"example.com/wrappers/machinery"
	"github.com/mqtrace/mqtrace/amqptrace/amqptest"
)

func TestTasks(t *testing.T) {
	errBank := errors.New("the bank does not answer")
	for name, c := range map[string]struct {
		errs []error
		then bool // another task follows
		want []string
	}{
		"done":    {[]error{nil}, false, []string{"publish", "ack"}},
		"failed":  {[]error{errBank}, false, []string{"publish", "ack error=*errors.errorString"}},
		"retried": {[]error{errBank, nil}, false, []string{"publish", "ack error=*errors.errorString", "publish", "ack"}},
		"chain":   {[]error{nil, nil}, true, []string{"publish", "ack", "publish", "ack"}},
	} {
		test := func(t *testing.T, url string) {
			spans := amqptest.Record(t)
			name := fmt.Sprintf("mqtrace-test-%d-machinery-%s", os.Getpid(), name)
			attempt := 0
			server := serve(t, url, name, spans, func(context.Context, string) error {
				attempt++
				return c.errs[attempt-1]
			})
			task := tasks.Signature{UUID: "o-1", Name: "bill", Args: []tasks.Arg{{Type: "string", Value: "tea"}}}
			if c.then {
				next := task
				next.UUID = "o-2"
				task.OnSuccess = []*tasks.Signature{&next}
			} else {
				task.RetryCount = len(c.errs) - 1
			}
			ctx, request := spans.Start(context.Background(), "request")
			if _, err := server.SendTaskWithContext(ctx, &task); err != nil {
				t.Fatal(err)
			}
			request.End()
			want := []string{"request"}
			for _, span := range c.want {
				if span == "publish" {
					span = "publish " + name + " acked"
				} else {
					span = "process " + name + " " + span
				}
				want = append(want, span)
			}
			spans.WantTrace(ctx, want...)
		}
		t.Run(name+" on amqptest", func(t *testing.T) { test(t, amqptest.Start(t).URL()) })
		if url := os.Getenv("MQTRACE_AMQP_URL"); url != "" {
			t.Run(name+" on RabbitMQ", func(t *testing.T) { test(t, url) })
		}
	}
}

// serve runs a worker until the test ends. Exchange and queue have the same name.
func serve(t *testing.T, url, name string, spans *amqptest.Recorder, bill func(context.Context, string) error) *lib.Server {
	t.Helper()
	cnf := &config.Config{
		Broker: url, DefaultQueue: name, NoUnixSignals: true,
		AMQP: &config.AMQPConfig{Exchange: name, ExchangeType: "direct", BindingKey: name, PrefetchCount: 1},
	}
	broker := amqpbroker.New(cnf)
	server := lib.NewServer(cnf, machinery.TraceBroker(broker, spans.Options()...), null.New(), eager.New())
	if err := server.RegisterTask("bill", machinery.Task(bill)); err != nil {
		t.Fatal(err)
	}
	worker := server.NewWorker("worker", 1)
	worker.LaunchAsync(make(chan error, 1))
	t.Cleanup(func() {
		worker.Quit()
		remove(t, url, name)
	})
	return server
}

func remove(t *testing.T, url, name string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		return // amqptest's broker is gone
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDelete(name, false, false, false); err != nil && !strings.Contains(err.Error(), "NOT_FOUND") {
		t.Error(err)
	}
	if err := ch.ExchangeDelete(name, false, false); err != nil {
		t.Error(err)
	}
}
