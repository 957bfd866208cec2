package amqpbroker_test

import (
	"fmt"
	"testing"
	"time"
)

// These tests hold for the in-process broker and for RabbitMQ alike, as the wire scripts
// do, which have no words for how long something may take.

// A connection that breaks gives back what it had not acknowledged, in its place.
func TestBrokenConnectionRequeues(t *testing.T) {
	eachServer(t, func(t *testing.T, server string) {
		p := connect(t, server)
		q := p.declare()
		t.Cleanup(func() { connect(t, server).ask("queue.delete", map[string]string{"queue": q}, "queue.delete-ok") })
		for i := range 5 {
			p.publish(q, fmt.Sprint(i))
		}
		broken := connect(t, server)
		broken.ask("basic.qos", map[string]string{"prefetch-count": "3"}, "basic.qos-ok")
		broken.ask("basic.consume", map[string]string{"queue": q, "consumer-tag": "c"}, "basic.consume-ok")
		for i := range 3 {
			broken.expect(fmt.Sprintf("basic.deliver consumer-tag=c delivery-tag=%d routing-key=%s body=%d", i+1, q, i))
		}
		broken.sock.Close()
		for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			messages, consumers := p.holds(q)
			if messages == 5 && consumers == 0 {
				break
			}
			if time.Since(begun) > patience {
				t.Fatalf("the queue has %d messages and %d consumers", messages, consumers)
			}
		}
		for i := range 5 {
			redelivered := ""
			if i < 3 {
				redelivered = " redelivered"
			}
			count := ""
			if i < 4 {
				count = fmt.Sprintf(" message-count=%d", 4-i)
			}
			p.ask("basic.get", map[string]string{"queue": q, "no-ack": ""},
				fmt.Sprintf("basic.get-ok delivery-tag=%d%s routing-key=%s%s body=%d", i+1, redelivered, q, count, i))
		}
	})
}

// Heartbeats: RabbitMQ sends them, and gives up a client that sends none.
func TestHeartbeats(t *testing.T) {
	eachServer(t, func(t *testing.T, server string) {
		u := parse(t, server)
		t.Run("silent", func(t *testing.T) {
			t.Parallel()
			begun := time.Now() // not after the server began to count
			p := openPeer(t, u, map[string]string{"heartbeat": "1"})
			defer p.sock.Close()
			got, came := p.next(patience) // heartbeats are passed over
			if took := time.Since(begun); !came || got != "closed" || took < 1500*time.Millisecond {
				t.Errorf("%q after %v, want the end after two seconds or more", got, took)
			}
		})
		t.Run("heard", func(t *testing.T) {
			t.Parallel()
			// Not one second: a machine that does something else for two would end it.
			p := openPeer(t, u, map[string]string{"heartbeat": "2"})
			defer p.sock.Close()
			beats := 0
			for begun := time.Now(); time.Since(begun) < 6*time.Second; {
				_ = p.sock.SetReadDeadline(time.Now().Add(4 * time.Second))
				_, kind, _, err := p.readFrame()
				if err != nil {
					t.Fatalf("after %d heartbeats: %v", beats, err)
				}
				if kind == 8 {
					beats++
					p.frame(8, 0, nil)
				}
			}
			if beats < 3 {
				t.Errorf("%d heartbeats in six seconds, want one in two seconds or more", beats)
			}
		})
	})
}
