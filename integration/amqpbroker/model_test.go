package amqpbroker_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestOrderAgainstModel runs random operations on a queue and compares it with a sorted
// list: messages that return go to their old place.
func TestOrderAgainstModel(t *testing.T) {
	b := start(t)
	_, ch := dial(t, b.URL())
	q := declare(t, b.URL(), ch, nil)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var ready, unacked []int // unacked in the order of their tags
	tags := map[int]uint64{}
	giveBack := func(messages []int) {
		ready = append(ready, messages...)
		slices.Sort(ready)
	}
	for next := 0; next < 6000; {
		i := 0
		if len(unacked) > 0 {
			i = random.IntN(len(unacked))
		}
		switch op := random.IntN(12); {
		case op < 4:
			publish(t, ch, "", q, amqp.Publishing{MessageId: fmt.Sprint(next)})
			ready = append(ready, next)
			next++
		case op < 8:
			d, got, err := ch.Get(q, false)
			ok(t, err)
			if got != (len(ready) > 0) || got && (d.MessageId != fmt.Sprint(ready[0]) || int(d.MessageCount) != len(ready)-1) {
				t.Fatalf("seed %d: got %t %s with %d left, want the first of %v", seed, got, d.MessageId, d.MessageCount, ready)
			}
			if got {
				tags[ready[0]] = d.DeliveryTag
				unacked = append(unacked, ready[0])
				ready = ready[1:]
			}
		case len(unacked) == 0:
		case op == 8:
			ok(t, ch.Ack(tags[unacked[i]], false))
			unacked = slices.Delete(unacked, i, i+1)
		case op == 9:
			ok(t, ch.Reject(tags[unacked[i]], true))
			giveBack(unacked[i : i+1])
			unacked = slices.Delete(unacked, i, i+1)
		case op == 10 && next%50 == 0:
			ok(t, ch.Nack(tags[unacked[i]], true, true))
			giveBack(unacked[:i+1])
			unacked = slices.Delete(unacked, 0, i+1)
		case op == 11 && next%50 == 0:
			ok(t, ch.Ack(tags[unacked[i]], true))
			unacked = slices.Delete(unacked, 0, i+1)
		}
	}
}
