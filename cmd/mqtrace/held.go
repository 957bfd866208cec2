package main

import (
	"bytes"
	"io"
	"os"
)

// maxHeld is how much output is held back in memory, in bytes.
const maxHeld = 4 << 20

// held holds output back until the messages are returned to the queue: a slow reader, such
// as a pager, must not delay that. What exceeds maxHeld goes to a temporary file.
type held struct {
	out  io.Writer
	kept bytes.Buffer
	file *os.File // the output before kept, nil if there is none
}

func (h *held) Write(p []byte) (int, error) {
	if h.kept.Len()+len(p) > maxHeld {
		if err := h.spill(); err != nil {
			return 0, err
		}
	}
	return h.kept.Write(p)
}

func (h *held) spill() (err error) {
	if h.file == nil {
		if h.file, err = os.CreateTemp("", "mqtrace-peek-"); err != nil {
			return err
		}
		_ = os.Remove(h.file.Name()) // On Windows, an open file stays until it is removed below.
	}
	_, err = h.kept.WriteTo(h.file)
	return err
}

// release writes what was held back.
func (h *held) release() error {
	var err error
	if h.file != nil {
		if _, err = h.file.Seek(0, io.SeekStart); err == nil {
			_, err = io.Copy(h.out, h.file)
		}
		_ = h.file.Close()
		_ = os.Remove(h.file.Name())
		h.file = nil
	}
	if err == nil {
		_, err = h.kept.WriteTo(h.out)
	}
	return err
}
