package amqpbroker_test

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// wellServed checks that a queue still works for others. Nothing but the peers that the
// test has could end a wait for them, so that a message which comes has not waited.
func wellServed(t testing.TB, ch *amqp.Channel, q string, deliveries <-chan amqp.Delivery) {
	t.Helper()
	publish(t, ch, "", q, amqp.Publishing{Body: []byte("x")})
	receive(t, deliveries)
}

// A consumer that does not read holds up neither the publisher nor the other
// consumer, and takes no more memory than its buffers.
func TestSlowConsumer(t *testing.T) {
	b := start(t)
	server := must[*url.URL](t)(url.Parse(b.URL()))
	_, ch := dial(t, b.URL())
	q := declare(t, b.URL(), ch, nil)
	slow := openPeer(t, server, nil)
	defer slow.sock.Close()
	slow.method(1, "channel.open", nil)
	slow.next(patience)
	slow.method(1, "basic.consume", map[string]string{"queue": q, "consumer-tag": "slow", "no-ack": "1"})
	slow.next(patience)

	body := make([]byte, 64<<10)
	const n = 500 // 32 MiB
	for range n {
		publish(t, ch, "", q, amqp.Publishing{Body: body})
	}
	state := must[amqp.Queue](t)(ch.QueueDeclarePassive(q, true, false, false, false, nil))
	if state.Messages < n/2 {
		t.Errorf("%d of %d messages are left in the queue: the rest is buffered for a peer that does not read", state.Messages, n)
	}
	deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil))
	for range state.Messages {
		receive(t, deliveries)
	}
	other := declare(t, b.URL(), ch, nil)
	wellServed(t, ch, other, must[<-chan amqp.Delivery](t)(ch.Consume(other, "", true, false, false, false, nil)))
	// What it was given is still there when it reads at last.
	for range n - state.Messages {
		if got, ok := slow.next(patience); !ok || !strings.HasPrefix(got, "basic.deliver") {
			t.Fatalf("%q", got)
		}
	}
}

// A peer that asks and does not read the answers is not read from any more.
func TestPeerThatReadsNoAnswers(t *testing.T) {
	b := start(t)
	server := must[*url.URL](t)(url.Parse(b.URL()))
	_, ch := dial(t, b.URL())
	q := declare(t, b.URL(), ch, nil)
	publish(t, ch, "", q, amqp.Publishing{Body: make([]byte, 1<<20)})
	p := openPeer(t, server, nil)
	p.method(1, "channel.open", nil)
	p.next(patience)
	// Fetch and put back one large message, over and over.
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
	must[amqp.Queue](t)(ch.QueueDeclarePassive(q, true, false, false, false, nil))
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

// Peers that stop in the middle of whatever hold nobody up, Close least of all.
func TestSilentPeers(t *testing.T) {
	b := start(t, amqpbroker.WithHandshakeTimeout(time.Hour), amqpbroker.WithCloseGrace(50*time.Millisecond))
	server := must[*url.URL](t)(url.Parse(b.URL()))
	_, ch := dial(t, b.URL())
	q := declare(t, b.URL(), ch, nil)
	deliveries := must[<-chan amqp.Delivery](t)(ch.Consume(q, "", true, false, false, false, nil))
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
	wellServed(t, ch, q, deliveries)
	returns(t, "Close", func() { _ = b.Close() })
}

// Nesting goes as deep as a frame has room for.
func TestDeepTables(t *testing.T) {
	b := start(t)
	server := must[*url.URL](t)(url.Parse(b.URL()))
	for _, kind := range []byte{'A', 'F'} {
		p := openPeer(t, server, nil)
		defer p.sock.Close()
		p.method(1, "channel.open", nil)
		p.next(patience)
		var inner []byte
		for len(inner) < 100_000 {
			item := append([]byte{kind, byte(len(inner) >> 24), byte(len(inner) >> 16), byte(len(inner) >> 8), byte(len(inner))}, inner...)
			if kind == 'F' {
				item = append([]byte{0}, item...)
			}
			inner = item
			if len(inner) > 3000 { // building it takes the square of its length
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
