// Package machinery stands for github.com/RichardKnop/machinery/v2: a worker whose tasks
// take a string, and which publishes retries and following tasks as the real one does.
package machinery

import (
	"context"

	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/brokers/iface"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/tasks"
)

// Worker calls tasks.
type Worker struct {
	Broker iface.Broker
	Tasks  map[string]func(ctx context.Context, arg string) error
}

// Process calls a task. It does not return the task's error.
func (w Worker) Process(s *tasks.Signature) error {
	arg, _ := s.Args[0].Value.(string)
	err := w.Tasks[s.Name](tasks.WithSignature(context.Background(), s), arg)
	next := s.OnSuccess
	switch {
	case err != nil && s.RetryCount > 0:
		s.RetryCount--
		next = []*tasks.Signature{s}
	case err != nil:
		next = s.OnError
	}
	for _, n := range next {
		if err := w.Broker.Publish(context.Background(), n); err != nil {
			return err
		}
	}
	return nil
}

// CustomQueue returns "": the default queue.
func (Worker) CustomQueue() string { return "" }
