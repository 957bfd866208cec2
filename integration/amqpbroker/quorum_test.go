package amqpbroker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// releases are the RabbitMQ releases whose behaviour is known here. The in-process broker
// follows the last.
var releases = []string{"3.10", "4.0", "4.3"}

// release returns the one of the releases that a server is or behaves like.
func release(t *testing.T, url string) string {
	t.Helper()
	conn := must[*amqp.Connection](t)(amqp.Dial(url))
	defer conn.Close()
	version, says := conn.Properties["version"].(string)
	if !says {
		return releases[len(releases)-1]
	}
	for _, r := range releases {
		if strings.HasPrefix(version, r+".") {
			return r
		}
	}
	t.Fatalf("RabbitMQ %s is not known, only %v", version, releases)
	return ""
}

// The headers of a message from a quorum queue at each delivery, by basic.get or to a
// consumer: x-acquired-count and x-delivery-count, - for none. From 4.3 on, the former
// counts all returns, and the latter failures.
var quorumCounts = []struct {
	before string // how the delivery before ended
	want   map[string]string
}{
	{"", map[string]string{"3.10": "- 0", "4.0": "- -", "4.3": "- -"}}, // 3.10 sends a consumer neither
	{"nack", map[string]string{"3.10": "- 1", "4.0": "- 1", "4.3": "1 -"}},
	{"nack", map[string]string{"3.10": "- 2", "4.0": "- 2", "4.3": "2 -"}},
	{"nack", map[string]string{"3.10": "- 3", "4.0": "- 3", "4.3": "3 -"}},
	{"nack", map[string]string{"3.10": "- 4", "4.0": "- 4", "4.3": "4 -"}},
	{"close", map[string]string{"3.10": "- 5", "4.0": "- 5", "4.3": "5 1"}},
	{"close", map[string]string{"3.10": "- 6", "4.0": "- 6", "4.3": "6 2"}},
	{"reject", map[string]string{"3.10": "- 7", "4.0": "- 7", "4.3": "7 3"}},
	{"reject", map[string]string{"3.10": "- 8", "4.0": "- 8", "4.3": "8 4"}},
}

func TestQuorumCounts(t *testing.T) {
	eachServer(t, func(t *testing.T, url string) {
		release := release(t, url)
		for _, way := range []string{"get", "consume"} {
			t.Run(way, func(t *testing.T) {
				conn, ch := dial(t, url)
				q := declare(t, url, ch, amqp.Table{"x-queue-type": "quorum"})
				publish(t, ch, "", q, amqp.Publishing{})
				for i, step := range quorumCounts {
					ch := must[*amqp.Channel](t)(conn.Channel())
					d := take(t, ch, q, way)
					want := step.want[release]
					if i == 0 && release == "3.10" && way == "consume" {
						want = "- -"
					}
					if got := counts(d); got != want || d.Redelivered != (i > 0) {
						t.Errorf("delivery %d, after %s: counts %s, redelivered %t, want %s", i+1, step.before, got, d.Redelivered, want)
					}
					if i+1 < len(quorumCounts) {
						giveBack(t, ch, d, quorumCounts[i+1].before)
					}
					ok(t, ch.Close())
				}
			})
		}
	})
}

// A quorum queue without x-delivery-limit has a limit of 20 from 4.0 on: of all returns,
// and from 4.3 on of failures. A message that exceeds it is dead-lettered.
func TestQuorumLimit(t *testing.T) {
	kept := map[string]bool{"3.10 nack": true, "3.10 reject": true, "3.10 close": true, "4.3 nack": true}
	eachServer(t, func(t *testing.T, url string) {
		release := release(t, url)
		for _, how := range []string{"nack", "reject", "close"} {
			t.Run(how, func(t *testing.T) {
				conn, ch := dial(t, url)
				dead := declare(t, url, ch, nil)
				q := declare(t, url, ch, amqp.Table{
					"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead,
				})
				publish(t, ch, "", q, amqp.Publishing{})
				for range 21 {
					ch := must[*amqp.Channel](t)(conn.Channel())
					giveBack(t, ch, take(t, ch, q, "get"), how)
					ok(t, ch.Close())
				}
				if kept[release+" "+how] {
					take(t, ch, q, "get")
					return
				}
				deaths, _ := take(t, ch, dead, "get").Headers["x-death"].([]any)
				if len(deaths) != 1 || deaths[0].(amqp.Table)["reason"] != "delivery_limit" {
					t.Errorf("x-death %v, want one delivery_limit", deaths)
				}
			})
		}
	})
}

// take fetches or consumes one message. It may take a moment to arrive.
func take(t *testing.T, ch *amqp.Channel, q, way string) amqp.Delivery {
	t.Helper()
	if way == "consume" {
		ok(t, ch.Qos(1, 0, false))
		deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "c", false, false, false, false, nil))
		d := receive(t, deliveries)
		ok(t, ch.Cancel("c", false)) // so that it does not get the message back
		return d
	}
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(10 * time.Millisecond) {
		d, got, err := ch.Get(q, false)
		ok(t, err)
		if got {
			return d
		}
	}
	t.Fatalf("nothing in %s", q)
	panic("unreachable")
}

// giveBack returns a delivery to its queue, or leaves that to the end of the channel.
func giveBack(t *testing.T, ch *amqp.Channel, d amqp.Delivery, how string) {
	t.Helper()
	switch how {
	case "nack":
		ok(t, d.Nack(false, true))
	case "reject":
		ok(t, d.Reject(true))
	}
}

func counts(d amqp.Delivery) string {
	count := func(header string) string {
		if n, ok := d.Headers[header]; ok {
			return fmt.Sprint(n)
		}
		return "-"
	}
	return count("x-acquired-count") + " " + count("x-delivery-count")
}

// Messages returned to a quorum queue are delivered before the rest, in the order of their
// return. RabbitMQ 3.10 and 4.0 put them last if the queue has no limit.
func TestQuorumOrder(t *testing.T) {
	want := map[string]string{
		"3.10 of 5": "20134", "3.10 not given": "34201",
		"4.0 of none": "34201", "4.0 of 5": "20134", "4.0 not given": "20134",
		"4.3 of none": "20134", "4.3 of 5": "20134", "4.3 not given": "20134",
	}
	limits := map[string]amqp.Table{"of none": {"x-delivery-limit": int32(-1)}, "of 5": {"x-delivery-limit": int32(5)}, "not given": {}}
	eachServer(t, func(t *testing.T, url string) {
		release := release(t, url)
		for limit, args := range limits {
			if release == "3.10" && limit == "of none" {
				continue // it accepts a limit of -1, which is exceeded at once
			}
			t.Run("limit "+limit, func(t *testing.T) {
				_, ch := dial(t, url)
				args["x-queue-type"] = "quorum"
				q := declare(t, url, ch, args)
				ok(t, ch.Confirm(false))
				for i := range 5 {
					c := must[*amqp.DeferredConfirmation](t)(ch.PublishWithDeferredConfirmWithContext(
						t.Context(), "", q, false, false, amqp.Publishing{MessageId: fmt.Sprint(i)}))
					c.Wait()
				}
				held := []amqp.Delivery{take(t, ch, q, "get"), take(t, ch, q, "get"), take(t, ch, q, "get")}
				for _, i := range []int{2, 0, 1} {
					giveBack(t, ch, held[i], "nack")
				}
				got := ""
				for range 5 {
					got += take(t, ch, q, "get").MessageId
				}
				if got != want[release+" "+limit] {
					t.Errorf("got %s, want %s", got, want[release+" "+limit])
				}
			})
		}
	})
}
