//go:build !race

// The race detector takes a minute for the 128 MiB, which no goroutine shares.

package send_test

import (
	"errors"
	"testing"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/send"
)

// endless counts what is read from it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestReadBodyLimit(t *testing.T) {
	in := &endless{}
	if _, err := send.ReadBody("-", in); !errors.Is(err, send.ErrTooLarge) || in.read > send.MaxBody+1 {
		t.Errorf("read %d bytes, %v", in.read, err)
	}
}
