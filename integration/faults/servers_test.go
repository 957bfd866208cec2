//go:build faults

package faults_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var long = flag.Bool("long", false, "repeat each fault, for the figures of docs/faults.md")

// times is how often a fault happens.
func times(often int) int {
	if *long {
		return often
	}
	return 1
}

func single(t *testing.T) (n *nodes, at brokers) {
	t.Helper()
	n = newNodes(t)
	n.run("start", "solo", itoa(n.port))
	return n, brokers{publishers: []string{n.url(0)}, consumers: []string{n.url(0)}}
}

func TestRabbitMQKilled(t *testing.T) {
	n, at := single(t)
	l := startLoad(t, at)
	for range times(8) {
		l.progress()
		n.run("kill9", "solo")
		n.run("start", "solo", itoa(n.port))
		l.progress()
	}
	l.stop()
	l.some("publish closed")
	l.none("publish nacked")
}

// A node that shuts down tells its clients so, and they come back all the same.
func TestRabbitMQStopped(t *testing.T) {
	n, at := single(t)
	l := startLoad(t, at)
	for range times(4) {
		l.progress()
		n.run("stop", "solo")
		n.run("start", "solo", itoa(n.port))
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
		n.run("ctl", "solo", "-q", "set_vm_memory_high_watermark", "0.00001")
		if b := <-blocked; !b.Active {
			t.Error("the connection is unblocked, not blocked")
		}
		l.eventually(10*time.Second, "the hasty publisher gives up waiting", func() bool {
			return l.ledger.count("publish timeout") > timeouts
		})
		n.run("ctl", "solo", "-q", "set_vm_memory_high_watermark", "0.4")
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
	p := startProxy(t, "127.0.0.1:"+itoa(n.port))
	at.publishers, at.consumers = []string{p.url()}, []string{p.url()}
	l := startLoad(t, at)
	for range 3 * times(20) {
		l.progress()
		p.cut()
	}
	l.progress()
	l.stop()
	l.some("publish closed")
	l.none("publish nacked")
}

// Heartbeats find out about a network in which everything disappears.
func TestNetworkSilent(t *testing.T) {
	n, at := single(t)
	p := startProxy(t, "127.0.0.1:"+itoa(n.port))
	at.publishers, at.consumers = []string{p.url()}, []string{p.url()}
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

// The first leader is the publishers' own node, so that they have to turn to another.
// Further ones are whoever was elected.
func TestQuorumLeaderKilled(t *testing.T) {
	n := newNodes(t)
	n.run("cluster", itoa(n.port))
	l := startLoad(t, brokers{
		publishers: []string{n.url(0), n.url(1)},
		consumers:  []string{n.url(2), n.url(1)},
		queueArguments: amqp.Table{
			"x-queue-type": "quorum", "x-quorum-initial-group-size": int32(3), "x-queue-leader-locator": "client-local",
		},
	})
	for range times(4) {
		l.progress()
		leader := n.leader(l.queue)
		n.run("kill9", leader)
		l.progress()
		n.run("start", leader, itoa(n.port+int(leader[1]-'1')))
		l.eventually(time.Minute, "all members of the queue are online", func() bool { return n.online(l.queue) == 3 })
		l.progress()
	}
	l.stop()
}

// leader is the name of the node that leads the queue.
func (n *nodes) leader(queue string) string {
	n.t.Helper()
	name, _, _ := strings.Cut(n.field(queue, "leader"), "@")
	return name
}

func (n *nodes) online(queue string) int {
	n.t.Helper()
	return strings.Count(n.field(queue, "online"), "@")
}

// field is what rabbitmqctl says of a queue.
func (n *nodes) field(queue, name string) string {
	n.t.Helper()
	for line := range strings.Lines(n.run("ctl", "n3", "-q", "list_queues", "--no-table-headers", "name", name)) {
		if q, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok && q == queue {
			return value
		}
	}
	n.t.Fatalf("no queue %s", queue)
	return ""
}
