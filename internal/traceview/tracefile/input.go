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

// input is the source, preceded by what a decoder read from it but did not use.
type input struct {
	left []byte
	src  io.Reader
	err  error // of the source, other than io.EOF
}

func (in *input) Read(p []byte) (int, error) {
	if len(in.left) > 0 {
		n := copy(p, in.left)
		in.left = in.left[n:]

		return n, nil
	}

	n, err := in.src.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}

	return n, err
}

// back takes back what a decoder did not use.
func (in *input) back(unused io.Reader) {
	b, _ := io.ReadAll(unused)
	in.left = append(b, in.left...)
}

// skipLine skips the rest of the line, and reports whether there is another one.
func (in *input) skipLine() bool {
	for {
		if end := bytes.IndexByte(in.left, '\n'); end >= 0 {
			in.left = in.left[end+1:]

			return true
		}

		const size = 64 << 10

		buf := make([]byte, size)
		n, err := in.src.Read(buf)
		in.left = buf[:n]

		if n == 0 && err != nil {
			return false
		}
	}
}

// utf8Reader removes a byte order mark, and converts UTF-16, which some shells write when
// output is redirected to a file, to UTF-8.
func utf8Reader(src io.Reader) io.Reader {
	in := bufio.NewReader(src)
	mark, _ := in.Peek(3)

	switch {
	case bytes.HasPrefix(mark, []byte("\xef\xbb\xbf")):
		_, _ = in.Discard(3)
	case bytes.HasPrefix(mark, []byte("\xff\xfe")):
		_, _ = in.Discard(2)

		return &utf16Reader{src: in, order: binary.LittleEndian}
	case bytes.HasPrefix(mark, []byte("\xfe\xff")):
		_, _ = in.Discard(2)

		return &utf16Reader{src: in, order: binary.BigEndian}
	}

	return in
}

type utf16Reader struct {
	src   *bufio.Reader
	order binary.ByteOrder
	left  []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.left) == 0 {
		first, err := u.unit()
		if err != nil {
			return 0, err
		}

		r := rune(first)
		if utf16.IsSurrogate(r) {
			second, err := u.unit()
			if err != nil {
				return 0, err
			}

			r = utf16.DecodeRune(r, rune(second))
		}

		u.left = utf8.AppendRune(nil, r)
	}

	n := copy(p, u.left)
	u.left = u.left[n:]

	return n, nil
}

func (u *utf16Reader) unit() (uint16, error) {
	var b [2]byte

	_, err := io.ReadFull(u.src, b[:])

	return u.order.Uint16(b[:]), err
}
