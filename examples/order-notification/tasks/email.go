// Package tasks defines what the notification service and the email worker agree on: the
// asynq queue, its tasks, and the Redis they are in.
package tasks

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
)

// TypeOrderConfirmation is the task that sends a customer the confirmation.
const TypeOrderConfirmation = "email:order-confirmation"

const (
	maxRetry = 5
	timeout  = 30 * time.Second
)

// OrderConfirmation is the payload of [TypeOrderConfirmation].
type OrderConfirmation struct {
	OrderID string `json:"order_id"`
	Email   string `json:"email"`
	Total   int    `json:"total"` // in cents
}

// QueueName returns the asynq queue of email tasks. The prefix is empty in production and
// unique if Redis is shared with others.
func QueueName(prefix string) string { return prefix + "emails" }

// NewOrderConfirmation returns the task. Its id comes from the order, so that
// an order event that is delivered twice does not queue a second email while
// the first is still waiting.
func NewOrderConfirmation(queue string, payload OrderConfirmation) (*asynq.Task, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("marshal %s: %w", TypeOrderConfirmation, err)
	}
	return asynq.NewTask(TypeOrderConfirmation, data,
		asynq.Queue(queue),
		asynq.TaskID("confirm-"+payload.OrderID),
		asynq.MaxRetry(maxRetry),
		asynq.Timeout(timeout),
	), nil
}

// ParseOrderConfirmation reads a task's payload. A payload that cannot be read is not
// retried: another attempt would fail too.
func ParseOrderConfirmation(task *asynq.Task) (OrderConfirmation, error) {
	var payload OrderConfirmation
	if err := json.Unmarshal(task.Payload(), &payload); err != nil {
		return OrderConfirmation{}, fmt.Errorf("unmarshal %s: %w: %w", task.Type(), err, asynq.SkipRetry)
	}
	return payload, nil
}
