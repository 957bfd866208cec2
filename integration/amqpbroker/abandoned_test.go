package amqpbroker_test

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Unacknowledged messages of a closed channel return to their old place. In quorum queues
// that is before all messages not yet delivered.
func TestAbandonedDeliveries(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		conn := must[*amqp.Connection](t)(amqp.Dial(url))
		defer conn.Close()
		for kind, args := range map[string]amqp.Table{
			"classic":        nil,
			"quorum":         {"x-queue-type": "quorum"},
			"quorum limited": {"x-queue-type": "quorum", "x-delivery-limit": int32(5)},
		} {
			ch := must[*amqp.Channel](t)(conn.Channel())
			q := must[amqp.Queue](t)(ch.QueueDeclare(unique("abandoned"), true, false, false, false, args))
			ok(t, ch.Confirm(false))
			for i := range 4 {
				c := must[*amqp.DeferredConfirmation](t)(ch.PublishWithDeferredConfirmWithContext(
					t.Context(), "", q.Name, false, false, amqp.Publishing{MessageId: fmt.Sprint(i)}))
				c.Wait()
			}
			for range 2 {
				reader := must[*amqp.Channel](t)(conn.Channel())
				got := ""
				for range 3 {
					d, _, err := reader.Get(q.Name, false)
					ok(t, err)
					got += d.MessageId
				}
				if got != "012" {
					t.Errorf("%s: got %q", kind, got)
				}
				ok(t, reader.Close())
			}
			_, err := ch.QueueDelete(q.Name, false, false, false)
			ok(t, err)
		}
	})
}
