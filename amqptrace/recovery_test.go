package amqptrace_test

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// network is between a program and a broker, and can be cut. What goes over it takes a
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
	n := newNetwork(t, u.Host)
	u.Host = n.Addr().String()
	// A connection that is cut while its channels are opened again is dialled again only when
	// opening them has failed so many times.
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
	queue, full = unique("q"), unique("full")
	direct := open(t, broker)
	t.Cleanup(func() {
		_, _ = direct.QueueDelete(queue, false, false, false)
		_, _ = direct.QueueDelete(full, false, false, false)
	})
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

// Programs that publish while the host recovers the channel: each message hears what became
// of it and not of another one, and all of them hear again after the recovery.
func TestConfirmationsAfterARecovery(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		network, ch, queue, full := recovering(t, url)
		pub := amqptrace.NewPublisher(ch)
		const cuts, between = 3, 400 * time.Millisecond
		ended := make(chan struct{})
		goesOn := func() bool {
			select {
			case <-ended:
				return false
			default:
				return true
			}
		}
		var mu sync.Mutex
		wrong := map[string]int{}
		right := 0 // since the last cut
		var wg sync.WaitGroup
		wg.Go(func() { // nobody waits for these
			for goesOn() {
				_, _ = pub.PublishDeferred(context.Background(), "", queue, false, false, amqp.Publishing{})
				time.Sleep(time.Millisecond)
			}
		})
		wg.Go(func() { // nor are these the publisher's own
			for goesOn() {
				_ = amqptrace.NewPublisher(ch).PublishWithContext(context.Background(), "", queue, false, false, amqp.Publishing{})
				time.Sleep(time.Millisecond)
			}
		})
		for g := range 6 {
			wg.Go(func() {
				for i := g; goesOn(); i++ {
					key := []string{queue, full}[i%2]
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					err := pub.PublishConfirmed(ctx, "", key, true, false, amqp.Publishing{})
					cancel()
					mu.Lock()
					switch refused := errors.Is(err, amqptrace.ErrNacked); {
					case err == nil && key == full:
						wrong["acked, and the broker has refused it"]++
					case refused && key == queue:
						wrong["refused, and the broker has it"]++
					case errors.Is(err, context.DeadlineExceeded):
						wrong["never confirmed"]++
					case err == nil || refused:
						right++
					}
					mu.Unlock()
					time.Sleep(100 * time.Microsecond)
				}
			})
		}
		for range cuts {
			time.Sleep(between)
			network.cut()
			mu.Lock()
			right = 0
			mu.Unlock()
		}
		for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
			mu.Lock()
			done := right > 10
			mu.Unlock()
			if done {
				break
			}
		}
		close(ended)
		wg.Wait()
		if len(wrong) > 0 || right == 0 {
			t.Errorf("%v, and %d messages were confirmed after the last recovery", wrong, right)
		}
	})
}

// One goroutine that publishes again where the channel was closed, without a pause.
func TestPublisherThatTriesAgain(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		network, ch, queue, _ := recovering(t, url)
		pub := amqptrace.NewPublisher(ch)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		publish := func() error { return pub.PublishConfirmed(ctx, "", queue, true, false, amqp.Publishing{}) }
		if err := publish(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			network.cut()
			for confirmed := 0; confirmed < 10; {
				switch err := publish(); {
				case err == nil:
					confirmed++
				case errors.Is(err, context.DeadlineExceeded):
					t.Fatal("nothing is confirmed any more")
				default: // the channel is closed, or the connection has broken under the write
					time.Sleep(100 * time.Microsecond)
				}
			}
		}
	})
}
