package receiver

import (
	"errors"
	"io"
	"sync/atomic"
)

var (
	errBodyTooLarge = errors.New("request body is too large")
	errNoMemory     = errors.New("too many requests at once")
)

// budget bounds the memory of the request bodies that are being read. A client uses the
// budget for what it has sent, not for what it has announced, so slow and idle clients use
// next to nothing.
type budget struct{ free atomic.Int64 }

func newBudget(bytes int) *budget {
	b := &budget{}
	b.free.Store(int64(bytes))

	return b
}

func (b *budget) take(n int) bool {
	if b.free.Add(-int64(n)) >= 0 {
		return true
	}

	b.free.Add(int64(n))

	return false
}

func (b *budget) give(n int) { b.free.Add(int64(n)) }

const firstChunk = 16 << 10

// readAll reads src to its end, up to limit bytes. The caller returns the capacity of the
// result to the budget once done with it, even after an error.
func (b *budget) readAll(src io.Reader, limit int) ([]byte, error) {
	var buf []byte

	for {
		if len(buf) == cap(buf) {
			// One byte more than allowed distinguishes a body of exactly the limit from one
			// that is too large.
			grown := min(max(2*cap(buf), firstChunk), limit+1)
			if !b.take(grown - cap(buf)) {
				return buf, errNoMemory
			}

			next := make([]byte, len(buf), grown)
			copy(next, buf)
			buf = next
		}

		n, err := src.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]

		if len(buf) > limit {
			return buf, errBodyTooLarge
		}

		if errors.Is(err, io.EOF) {
			return buf, nil
		}

		if err != nil {
			return buf, err
		}
	}
}
