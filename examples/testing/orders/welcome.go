package orders

import (
	"context"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// Welcome enqueues an email to a new customer.
func Welcome(ctx context.Context, client *asynqtrace.Client, customer string) error {
	_, err := client.EnqueueContext(ctx, asynq.NewTask("email:welcome", []byte(customer)), asynq.TaskID(customer))
	return err
}

// Mux returns the worker's handlers.
func Mux(send func(customer string) error) *asynq.ServeMux {
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware())
	mux.HandleFunc("email:welcome", func(_ context.Context, task *asynq.Task) error {
		return send(string(task.Payload()))
	})
	return mux
}
