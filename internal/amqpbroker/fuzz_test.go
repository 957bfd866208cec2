package amqpbroker_test

import (
	"encoding/binary"
	"errors"
	"net"
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// FuzzFrames sends its input on a separate connection. The broker ends that connection with
// a code that RabbitMQ uses, or silently; it never panics, and keeps serving others.
//
// Input whose first octet is odd is sent unchanged. Other input is cut into frames, each
// with a type octet, a channel octet, a length and that much payload, so that more of it
// gets past the framing.
func FuzzFrames(f *testing.F) {
	for name, m := range methods {
		args := appendArgs(binary.BigEndian.AppendUint32(nil, m.id), m.args, map[string]string{
			"queue": "q", "exchange": "amq.topic", "source": "amq.topic", "destination": "amq.fanout",
			"routing-key": "k", "type": "topic", "arguments": "{x-message-ttl:I:5,x-dead-letter-exchange:S:}",
		})
		f.Add(append([]byte{0, 1, 1, byte(len(args))}, args...))
		f.Add(append([]byte{1}, appendFrame(nil, 1, 1, args)...))
		if name == "basic.publish" {
			header := []byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x30, 0, 0, 0, 0, 6, 1, 'a', 'S', 0, 0, 0, 2}
			input := append([]byte{0, 1, 1, byte(len(args))}, args...)
			input = append(append(input, 2, 1, byte(len(header))), header...)
			f.Add(append(input, 3, 1, 2, 'h', 'i'))
		}
	}
	f.Add([]byte{1, 1, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 8, 0, 0})

	w := &witness{}
	f.Cleanup(w.stop)
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) == 0 {
			return
		}
		w.refresh(t)
		p := openPeer(t, w.url, nil)
		defer p.sock.Close()
		p.method(1, "channel.open", nil)
		p.write(frames(input))
		_ = p.sock.(*net.TCPConn).CloseWrite()
		_ = p.sock.SetReadDeadline(time.Now().Add(patience))
		for {
			_, kind, payload, err := p.readFrame()
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the connection has not ended")
			}
			if err != nil {
				break // the end, or a reset if not all was read
			}
			checkClose(t, kind, payload)
		}
		w.check(t)
	})
}

func frames(input []byte) []byte {
	if input[0]%2 == 1 {
		return input[1:]
	}
	var out []byte
	for input = input[1:]; len(input) >= 3; {
		n := min(int(input[2]), len(input)-3)
		out = appendFrame(out, input[0]%9, uint16(input[1]%3), input[3:3+n])
		input = input[3+n:]
	}
	return out
}

func checkClose(t *testing.T, kind byte, payload []byte) {
	t.Helper()
	const connectionClose = 10<<16 | 50
	if kind != 1 || binary.BigEndian.Uint32(payload) != connectionClose {
		return
	}
	codes := []uint16{501, 502, 503, 504, 505, 530, 540, 541}
	if code := binary.BigEndian.Uint16(payload[4:]); !slices.Contains(codes, code) {
		t.Errorf("connection.close with %d", code)
	}
}

// witness is another client of the same broker.
type witness struct {
	broker *amqpbroker.Broker
	url    *url.URL
	peer   *peer
	queue  string
	uses   int
}

// refresh starts a new broker now and then, because inputs leave queues behind.
func (w *witness) refresh(t *testing.T) {
	if w.uses++; w.uses%500 != 1 {
		return
	}
	w.stop()
	var err error
	if w.broker, err = amqpbroker.Start(); err != nil {
		t.Fatal(err)
	}
	w.url = parse(t, w.broker.URL())
	w.peer = openPeer(t, w.url, nil) // outlives t
	w.peer.ask("channel.open", nil, "channel.open-ok")
	w.queue = w.peer.declare()
	w.peer.consume(w.queue, "witness")
}

func (w *witness) check(t *testing.T) {
	t.Helper()
	w.peer.t = t
	wellServed(w.peer, w.queue)
}

func (w *witness) stop() {
	if w.broker != nil {
		w.peer.sock.Close()
		_ = w.broker.Close()
	}
}
