package notification

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// consumeDeadLetters returns when the deliveries end.
func (s *Service) consumeDeadLetters(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for d := range s.dead.deliveries {
		if err := s.bury(ctx, d); err != nil {
			s.log.WarnContext(ctx, "dead letter not settled, will be redelivered", "error", err)
		}
	}
}

// handleDeadLetter reports a message that could not be processed. A shop would keep the
// body somewhere; here the message is only logged, without the body, which may contain
// personal data.
func (s *Service) handleDeadLetter(ctx context.Context, d amqp.Delivery) error {
	reason, queue := firstDeath(d.Headers)
	s.log.ErrorContext(ctx, "dead letter",
		"reason", reason, "queue", queue, "routing_key", d.RoutingKey, "body_bytes", len(d.Body))
	return d.Ack(false) //nolint:wrapcheck // Logged by the only caller, which says what it was about.
}

// firstDeath returns why and from which queue a message was first dead-lettered. RabbitMQ
// puts that into separate headers, besides x-death.
func firstDeath(headers amqp.Table) (reason, queue string) {
	reason, _ = headers["x-first-death-reason"].(string)
	queue, _ = headers["x-first-death-queue"].(string)
	return reason, queue
}
