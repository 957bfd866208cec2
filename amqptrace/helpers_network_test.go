package amqptrace_test

import (
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// network is between a program and a broker, and can be cut. It has a latency of a
// millisecond, as between two machines.
type network struct {
	net.Listener

	mu    sync.Mutex
	conns []net.Conn
}

func newNetwork(t *testing.T, broker string) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &network{Listener: l}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); n.cut(); wg.Wait() })
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", broker)
			if err != nil {
				_ = a.Close()
				continue
			}
			n.mu.Lock()
			n.conns = append(n.conns, a, b)
			n.mu.Unlock()
			wg.Go(func() { pipe(a, b) })
			wg.Go(func() { pipe(b, a) })
		}
	})
	return n
}

func pipe(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		time.Sleep(time.Millisecond)
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	n.conns = nil
}

// recovering opens a channel in confirm mode that amqp091-go recovers, a queue, and one that
// refuses all messages.
func recovering(t *testing.T, broker string) (_ *network, _ *amqp.Channel, queue, full string) {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	queue, full = unique("q"), unique("full")
	direct := open(t, broker)
	t.Cleanup(func() { // after the connection was closed, whose recovery declares them again
		_, _ = direct.QueueDelete(queue, false, false, false)
		_, _ = direct.QueueDelete(full, false, false, false)
	})
	n := newNetwork(t, u.Host)
	u.Host = n.Addr().String()
	// A connection that is cut while its channels are reopened is redialled only after
	// reopening them has failed this many times.
	conn, err := amqp.DialConfig(u.String(), amqp.Config{Recovery: &amqp.Recovery{
		ReconnectionConfig: &amqp.ReconnectionConfig{RetryInterval: 20 * time.Millisecond, MaxRetryCount: 5},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		ch.Confirm(false), declare(ch, queue, nil),
		declare(ch, full, amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return n, ch, queue, full
}
