//go:build faults

package faults_test

import (
	"encoding/binary"
	"time"
)

// wire is what a proxy does to the traffic.
type wire struct {
	latency time.Duration // each way
	rate    int           // bytes a second each way, unlimited if zero

	up, down bool // damage the next frame to the broker, or from it
	harmed   int  // how many were damaged
}

// takes returns how long n bytes take at the rate of the wire.
func (w *wire) takes(n int) time.Duration {
	if w.rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(w.rate)
}

// harm damages a frame if asked to: the octet that it begins with on the way up, the one
// that it ends with on the way down. AMQP has no checksum, so neither clients nor brokers
// can notice damage within a frame's payload.
func (w *wire) harm(f *frames, data []byte, up bool) {
	wanted := &w.down
	if up {
		wanted = &w.up
	}
	if f.pass(data, *wanted, up) {
		*wanted = false
		w.harmed++
	}
}

const (
	protocolHeader = 8 // octets that a client sends before its first frame
	frameHeader    = 7 // type, channel, size
)

// frames tracks the frame boundaries in a stream of octets.
type frames struct {
	left int // octets until the next frame begins
	head []byte
}

// pass goes through the traffic and reports whether it has damaged it.
func (f *frames) pass(data []byte, damage, atBegin bool) bool {
	harmed := false
	for i := 0; i < len(data); {
		if f.left > 0 {
			n := min(f.left, len(data)-i)
			f.left -= n
			i += n
			if f.left == 0 && damage && !harmed && !atBegin {
				data[i-1] ^= 0xff
				harmed = true
			}
			continue
		}
		octet := data[i]
		if len(f.head) == 0 && damage && !harmed && atBegin {
			data[i], harmed = 0xff, true
		}
		f.head = append(f.head, octet)
		i++
		if len(f.head) == frameHeader {
			f.left = int(binary.BigEndian.Uint32(f.head[3:])) + 1
			f.head = f.head[:0]
		}
	}
	return harmed
}
