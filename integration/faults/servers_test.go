//go:build faults

package faults_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/integration/nodes"
)

var long = flag.Bool("long", false, "repeat each fault, for the figures of docs/faults.md")

// times is how often a fault happens.
func times(often int) int {
	if *long {
		return often
	}
	return 1
}

func single(t *testing.T) (n *nodes.Nodes, at brokers) {
	t.Helper()
	n = nodes.New(t)
	n.Run("start", "solo", itoa(n.Port))
	return n, brokers{publishers: []string{n.URL(0)}, consumers: []string{n.URL(0)}}
}

func TestRabbitMQKilled(t *testing.T) {
	n, at := single(t)
	l := startLoad(t, at)
	for range times(8) {
		l.progress()
		n.Run("freeze", "solo")
		wait := l.pending()
		n.Run("kill9", "solo")
		n.Run("start", "solo", itoa(n.Port))
		l.progress()
		wait()
	}
	l.stop()
	l.some("publish closed")
	l.none("publish nacked")
}

// A node that shuts down announces it to its clients, and they reconnect as after a crash.
func TestRabbitMQStopped(t *testing.T) {
	n, at := single(t)
	l := startLoad(t, at)
	for range times(4) {
		l.progress()
		n.Run("stop", "solo")
		n.Run("start", "solo", itoa(n.Port))
		l.progress()
	}
	l.stop()
	l.none("publish nacked")
}

func TestMemoryAlarm(t *testing.T) {
	n, at := single(t)
	l := startLoad(t, at)
	blocked := l.links["publishers"].NotifyBlocked(make(chan amqp.Blocking, 16))
	for range times(8) {
		l.progress()
		timeouts := l.ledger.count("publish timeout")
		n.Run("ctl", "solo", "-q", "set_vm_memory_high_watermark", "0.00001")
		if b := <-blocked; !b.Active {
			t.Error("the connection is unblocked, not blocked")
		}
		l.eventually("the hasty publisher gives up waiting", func() bool {
			return l.ledger.count("publish timeout") > timeouts
		})
		n.Run("ctl", "solo", "-q", "set_vm_memory_high_watermark", "0.4")
		if b := <-blocked; b.Active {
			t.Error("the connection is blocked, not unblocked")
		}
		l.progress()
	}
	l.stop()
	l.some("publish timeout")
	l.none("publish closed")
	l.none("publish nacked")
}

func TestNetworkCut(t *testing.T) {
	n, at := single(t)
	p := startProxy(t, n.Addr(0))
	at.publishers, at.consumers = []string{p.url()}, []string{p.url()}
	l := startLoad(t, at)
	for range 3 * times(20) {
		p.hush()
		wait := l.pending()
		p.cut()
		p.speak()
		l.progress()
		wait()
	}
	l.stop()
	l.some("publish closed")
	l.none("publish nacked")
}

// Heartbeats detect a network in which everything disappears.
func TestNetworkSilent(t *testing.T) {
	n, at := single(t)
	p := startProxy(t, n.Addr(0))
	at.publishers, at.consumers, at.heartbeat = []string{p.url()}, []string{p.url()}, 2*time.Second
	l := startLoad(t, at)
	for range times(6) {
		l.progress()
		p.hush()
		time.Sleep(8 * time.Second) // heartbeats are missed after three times two seconds
		p.cut()
		p.speak()
		l.progress()
	}
	l.stop()
	l.some("publish closed")
	l.some("publish timeout")
	l.none("publish nacked")
}

// The first leader is the publishers' own node, so that they have to use another. Later
// ones are whichever was elected.
func TestQuorumLeaderKilled(t *testing.T) {
	n := nodes.New(t)
	n.Run("cluster", itoa(n.Port))
	l := startLoad(t, brokers{
		publishers: []string{n.URL(0), n.URL(1)},
		consumers:  []string{n.URL(2), n.URL(1)},
		queueArguments: amqp.Table{
			"x-queue-type": "quorum", "x-quorum-initial-group-size": int32(3), "x-queue-leader-locator": "client-local",
		},
	})
	for range times(4) {
		l.progress()
		led := leader(t, n, l.queue)
		n.Run("kill9", led)
		l.progress()
		n.Run("start", led, itoa(n.Port+int(led[1]-'1')))
		l.eventually("all members of the queue are online", func() bool { return online(t, n, l.queue) == 3 })
		l.progress()
	}
	l.stop()
}

// leader returns the name of the queue's leader node.
func leader(t *testing.T, n *nodes.Nodes, queue string) string {
	t.Helper()
	name, _, _ := strings.Cut(field(t, n, queue, "leader"), "@")
	return name
}

func online(t *testing.T, n *nodes.Nodes, queue string) int {
	t.Helper()
	return strings.Count(field(t, n, queue, "online"), "@")
}

// field returns a field of a queue from rabbitmqctl.
func field(t *testing.T, n *nodes.Nodes, queue, name string) string {
	t.Helper()
	for line := range strings.Lines(n.Run("ctl", "n3", "-q", "list_queues", "--no-table-headers", "name", name)) {
		if q, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && q == queue {
			return value
		}
	}
	t.Fatalf("no queue %s", queue)
	return ""
}
