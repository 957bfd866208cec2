package amqpbroker_test

import (
	"fmt"
	"testing"
	"time"
)

// Like the wire scripts, these tests hold for both the in-process broker and RabbitMQ. The
// scripts cannot express how long something may take.

// A connection that breaks returns its unacknowledged messages to their positions.
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

// RabbitMQ sends heartbeats, and gives up on a client that sends none.
func TestHeartbeats(t *testing.T) {
	eachServer(t, func(t *testing.T, server string) {
		u := parse(t, server)
		t.Run("silent", func(t *testing.T) {
			t.Parallel()
			begun := time.Now() // no later than the server began to count
			p := openPeer(t, u, map[string]string{"heartbeat": "1"})
			defer p.sock.Close()
			got, came := p.next(patience) // heartbeats are skipped
			if took := time.Since(begun); !came || got != "closed" || took < 1500*time.Millisecond {
				t.Errorf("%q after %v, want the end after two seconds or more", got, took)
			}
		})
		t.Run("heard", func(t *testing.T) {
			t.Parallel()
			// Not one second: a machine that is busy for two seconds would end the
			// connection.
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
