package amqpbroker_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// amqp091-go's own recovery reconnects and declares everything again after the broker was
// killed and started empty on the same address.
func TestClientRecovery(t *testing.T) {
	for _, how := range []string{"killed", "closed", "cut"} {
		t.Run(how, func(t *testing.T) {
			b := start(t)
			conn, err := amqp.DialConfig(b.URL(), amqp.Config{Recovery: &amqp.Recovery{
				ReconnectionConfig: &amqp.ReconnectionConfig{MaxRetryCount: 100, RetryInterval: 50 * time.Millisecond},
			}})
			ok(t, err)
			defer conn.Close()
			ch := must[*amqp.Channel](t)(conn.Channel())
			ok(t, ch.Confirm(false))
			ok(t, ch.Qos(10, 0, false))
			ok(t, ch.ExchangeDeclare("x", "topic", true, false, false, false, nil))
			must[amqp.Queue](t)(ch.QueueDeclare("q", true, false, false, false, nil))
			ok(t, ch.QueueBind("q", "a.#", "x", false, nil))
			own := must[amqp.Queue](t)(ch.QueueDeclare("", false, true, true, false, nil))
			ok(t, ch.QueueBind(own.Name, "a.#", "x", false, nil))
			durable := must[<-chan amqp.Delivery](t)(ch.Consume("q", "c", false, false, false, false, nil))
			exclusive := must[<-chan amqp.Delivery](t)(ch.Consume(own.Name, "d", true, false, false, false, nil))

			switch how {
			case "killed":
				b.Kill()
			case "closed":
				ok(t, b.Close())
			case "cut":
				b.CutConnections()
			}
			if how != "cut" {
				time.Sleep(100 * time.Millisecond) // let it try in vain
				again := must[*amqpbroker.Broker](t)(amqpbroker.Listen(b.Addr()))
				defer again.Close()
			}

			// A message published before everything is declared again is lost: repeat it.
			ticker := time.NewTicker(50 * time.Millisecond)
			defer ticker.Stop()
			timeout := time.After(2 * patience)
			for first, second := false, false; !first || !second; {
				select {
				case d := <-durable:
					first = true
					_ = d.Ack(false)
				case <-exclusive:
					second = true
				case <-ticker.C:
					_ = ch.PublishWithContext(background, "x", "a.b", true, false, amqp.Publishing{})
				case <-timeout:
					t.Fatalf("received from the durable queue: %t, from the exclusive one: %t", first, second)
				}
			}
		})
	}
}
