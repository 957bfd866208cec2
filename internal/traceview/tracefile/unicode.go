package tracefile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// utf8Reader converts UTF-16, which some shells write when output is redirected to a file,
// to UTF-8.
func utf8Reader(src io.Reader) (io.Reader, error) {
	in := bufio.NewReader(src)
	mark, _ := in.Peek(4)

	switch {
	case bytes.HasPrefix(mark, []byte("\xff\xfe")):
		_, _ = in.Discard(unitBytes)

		return &utf16Reader{src: in, order: binary.LittleEndian}, nil
	case bytes.HasPrefix(mark, []byte("\xfe\xff")):
		_, _ = in.Discard(unitBytes)

		return &utf16Reader{src: in, order: binary.BigEndian}, nil
	case bytes.HasPrefix(mark, []byte("\x1f\x8b")), bytes.HasPrefix(mark, []byte("\x28\xb5\x2f\xfd")): // gzip, zstd
		return nil, errCompressed
	}

	return in, nil
}

type utf16Reader struct {
	src   *bufio.Reader
	order binary.ByteOrder
	left  []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.left) == 0 {
		unit, ok := u.unit()
		if !ok {
			_, err := io.Copy(io.Discard, u.src)

			return 0, errors.Join(err, io.EOF)
		}

		_, _ = u.src.Discard(unitBytes)

		r := rune(unit)
		if utf16.IsSurrogate(r) {
			// What follows half a pair, and is not its other half, is a character of its own.
			next, _ := u.unit()
			if r = utf16.DecodeRune(r, rune(next)); r != utf8.RuneError {
				_, _ = u.src.Discard(unitBytes)
			}
		}

		u.left = utf8.AppendRune(u.left, r)
	}

	n := copy(p, u.left)
	u.left = u.left[n:]

	return n, nil
}

const unitBytes = 2

// unit returns the next unit without taking it. A single byte at the end is not one.
func (u *utf16Reader) unit() (uint16, bool) {
	b, err := u.src.Peek(unitBytes)
	if err != nil {
		return 0, false
	}

	return u.order.Uint16(b), true
}
