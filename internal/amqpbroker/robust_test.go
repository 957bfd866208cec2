package amqpbroker_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// A consumer that does not read holds up neither the publisher nor the other
// consumer, and takes no more memory than its buffers.
func TestSlowConsumer(t *testing.T) {
	b := start(t)
	p := connect(t, b.URL())
	q := p.declare()
	slow := connect(t, b.URL())
	slow.consume(q, "slow")

	body := strings.Repeat("x", 64<<10)
	const n = 500 // 32 MiB
	returns(t, "publishing", func() {
		for range n {
			p.publish(q, body)
		}
	})
	watcher := connect(t, b.URL())
	left, _ := watcher.holds(q)
	if left < n/2 {
		t.Errorf("%d of %d messages are left in the queue: the rest is buffered for a peer that does not read", left, n)
	}
	other := p.declare()
	p.consume(other, "other")
	p.consume(q, "fast")
	// How many of the rest each consumer is sent is open until the queue is empty: the
	// operating system may yet take more of what is written to the one that does not read.
	fast, tag := 0, 0
	for ready := left; ready > 0; {
		ready, _ = watcher.holds(q)
		p.publish(other, "mark") // all that fast was sent by now comes before it
		for marked := false; !marked; {
			got := p.expect("basic.deliver ")
			tag++
			switch {
			case strings.HasPrefix(got, fmt.Sprintf("basic.deliver consumer-tag=fast delivery-tag=%d routing-key=%s size=65536 ", tag, q)):
				fast++
			case strings.HasSuffix(got, fmt.Sprintf("consumer-tag=other delivery-tag=%d routing-key=%s body=mark", tag, other)):
				marked = true
			default:
				t.Fatalf("%.200q came as delivery %d", got, tag)
			}
		}
	}
	wellServed(p, other)
	// What was delivered to it is still there when it finally reads.
	for i := range n - fast {
		slow.expect(fmt.Sprintf("basic.deliver consumer-tag=slow delivery-tag=%d routing-key=%s size=65536 ", i+1, q))
	}
	if fast < n/2 {
		t.Errorf("%d of %d messages went to the consumer that reads", fast, n)
	}
}

// The broker stops reading from a peer that does not read its answers.
func TestPeerThatReadsNoAnswers(t *testing.T) {
	b := start(t)
	other := connect(t, b.URL())
	q := other.declare()
	other.publish(q, strings.Repeat("x", 1<<20))
	p := connect(t, b.URL())
	// Fetch and requeue one large message, over and over.
	var many bytes.Buffer
	for i := range 2000 {
		p2 := &peer{t: t, sock: writeOnly{&many}, frameMax: 131072}
		p2.method(1, "basic.get", map[string]string{"queue": q})
		p2.method(1, "basic.reject", map[string]string{"delivery-tag": fmt.Sprint(i + 1), "requeue": "1"})
	}
	before := heap()
	p.write(many.Bytes())
	time.Sleep(200 * time.Millisecond)
	if after := heap(); after > before+32<<20 {
		t.Errorf("the heap grew by %d MiB", (after-before)>>20)
	}
	other.holds(q) // answered
	p.sock.Close()
}

// writeOnly is a connection that keeps what is written.
type writeOnly struct{ *bytes.Buffer }

func (writeOnly) Close() error                     { return nil }
func (writeOnly) LocalAddr() net.Addr              { return nil }
func (writeOnly) RemoteAddr() net.Addr             { return nil }
func (writeOnly) SetDeadline(time.Time) error      { return nil }
func (writeOnly) SetReadDeadline(time.Time) error  { return nil }
func (writeOnly) SetWriteDeadline(time.Time) error { return nil }

// Peers that stop in the middle of something hold up nobody, least of all Close.
func TestSilentPeers(t *testing.T) {
	b := start(t, amqpbroker.WithHandshakeTimeout(time.Hour), amqpbroker.WithCloseGrace(50*time.Millisecond))
	server := parse(t, b.URL())
	other := connect(t, b.URL())
	q := other.declare()
	other.consume(q, "other")
	for _, said := range []string{
		"", "AMQP", "AMQP\x00\x00\x09\x01", "AMQP\x00\x00\x09\x01\x01\x00\x00\x00\x00\xff\xff",
	} {
		p := openPeer(t, server, map[string]string{"bare": ""})
		defer p.sock.Close()
		p.write([]byte(said))
	}
	for _, said := range [][]byte{
		nil, {1, 0, 1, 0, 0}, {1, 0, 1, 0, 1, 0, 0, 0, 0}, appendFrame(nil, 1, 1, []byte{0, 60, 0, 40, 0, 0, 0, 0, 0}),
	} {
		p := openPeer(t, server, nil)
		defer p.sock.Close()
		p.method(1, "channel.open", nil)
		p.write(said)
	}
	wellServed(other, q)
	returns(t, "Close", func() { _ = b.Close() })
}

// Nesting goes as deep as a frame has room for.
func TestDeepTables(t *testing.T) {
	b := start(t)
	for _, kind := range []byte{'A', 'F'} {
		p := connect(t, b.URL())
		var inner []byte
		for len(inner) < 100_000 {
			item := append([]byte{kind, byte(len(inner) >> 24), byte(len(inner) >> 16), byte(len(inner) >> 8), byte(len(inner))}, inner...)
			if kind == 'F' {
				item = append([]byte{0}, item...)
			}
			inner = item
			if len(inner) > 3000 { // building it takes quadratic time
				break
			}
		}
		if kind == 'A' {
			inner = append([]byte{0}, inner...)
		}
		h := append([]byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, byte(len(inner) >> 8), byte(len(inner))}, inner...)
		p.method(1, "basic.publish", map[string]string{"routing-key": "nobody", "mandatory": "1", "no-content": "1"})
		p.frame(2, 1, h)
		if got, ok := p.next(patience); !ok || !strings.HasPrefix(got, "basic.return") {
			t.Errorf("%c: %.80q", kind, got)
		}
	}
}
