package amqpbroker_test

import (
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// This test measures what SECURITY.md says about the memory that a client can take: what
// queues hold, and no more than a queue's own limit if it has one.
func TestQueueMemory(t *testing.T) {
	const messages, size = 64, 1 << 20
	b := start(t, amqpbroker.WithMaxMessageSize(size))
	p := connect(t, b.URL())
	unlimited := p.declare()
	limited := unique("limited")
	p.ask("queue.declare", map[string]string{
		"queue": limited, "durable": "", "arguments": "{x-max-length-bytes:l:8388608}",
	}, "queue.declare-ok")
	body := strings.Repeat("x", size)
	for queue, holds := range map[string]int{unlimited: messages, limited: 8} {
		before := heap()
		for range messages {
			p.publish(queue, body)
		}
		if n, _ := p.holds(queue); n != holds {
			t.Errorf("%s holds %d messages, want %d", queue, n, holds)
		}
		// A body in several frames is assembled in a slice that grows.
		grown, limit := int64(heap())-int64(before), int64(holds*size)*3/2+(2<<20)
		if grown > limit {
			t.Errorf("%d MiB in a queue take %d MiB", holds*size>>20, grown>>20)
		}
	}
}
