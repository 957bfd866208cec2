package tracefile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf16"
	"unicode/utf8"
)

// input is the source, preceded by what a decoder read from it but did not use.
type input struct {
	left []byte
	src  io.Reader
	err  error // of the source, other than io.EOF
	// ended is how many lines ended before what is read next.
	ended int
	// again counts the bytes that are read once more, in a number of tries.
	again, tries int
}

func (in *input) Read(p []byte) (n int, err error) {
	if len(in.left) > 0 {
		n = copy(p, in.left)
		in.left = in.left[n:]
	} else if n, err = in.src.Read(p); err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}

	in.ended += bytes.Count(p[:n], newline)

	return n, err
}

var newline = []byte("\n")

// line returns the number of the line that is read next.
func (in *input) line() int { return in.ended + 1 }

// back takes back what a decoder did not use.
func (in *input) back(unused io.Reader) {
	b, _ := io.ReadAll(unused)
	in.ended -= bytes.Count(b, newline)
	in.left = append(b, in.left...)
	in.again += len(b)
	in.tries++
}

// document is where a document of OTLP begins, apart from its {".
var document = regexp.MustCompile(`resource(?:Spans|Metrics|Logs|Profiles|_spans|_metrics|_logs|_profiles)"\s*:`)

// skip skips the rest of the line or, in it, what is before another document: a program
// that was killed while it wrote goes on in the same line after it has restarted. It
// reports whether there is more.
func (in *input) skip() bool {
	const longest = 64 // bytes that document matches

	for {
		end := bytes.IndexByte(in.left, '\n')

		line := in.left
		if end >= 0 {
			line = in.left[:end]
		}

		if at := document.FindIndex(line); at != nil {
			in.left = append([]byte(`{"`), in.left[at[0]:]...)

			return true
		}

		if end >= 0 {
			in.left = in.left[end+1:]
			in.ended++

			return true
		}

		const size = 64 << 10

		buf := make([]byte, size)
		n, err := in.src.Read(buf)
		in.left = append(bytes.Clone(line[max(0, len(line)-longest):]), buf[:n]...)

		if n == 0 && err != nil {
			return false
		}
	}
}

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

// jsonReader passes JSON on and changes what some programs write although it is not JSON:
// NaN and Infinity become strings, which is how OTLP has them, control characters in
// strings are escaped, and elsewhere they become blanks, as do byte order marks: zeros that a
// crash leaves in a file, for instance.
type jsonReader struct {
	src       io.Reader
	in, out   []byte
	word      []byte // outside of strings
	quoted    bool
	backslash bool
	err       error
}

func newJSONReader(src io.Reader) *jsonReader {
	const size = 32 << 10

	return &jsonReader{src: src, in: make([]byte, size)}
}

func (j *jsonReader) Read(p []byte) (int, error) {
	for len(j.out) == 0 {
		if j.err != nil {
			return 0, j.err
		}

		var n int

		n, j.err = j.src.Read(j.in)

		j.out = j.out[:0]
		for _, c := range j.in[:n] {
			j.put(c)
		}

		if j.err != nil {
			j.endWord()
		}
	}

	n := copy(p, j.out)
	j.out = j.out[n:]

	return n, nil
}

func (j *jsonReader) put(c byte) {
	switch {
	case c == '\n': // No string goes on in the next line.
		j.endWord()

		j.quoted, j.backslash = false, false
		j.out = append(j.out, c)
	case j.quoted:
		j.putQuoted(c)
	case c|0x20 >= 'a' && c|0x20 <= 'z', c == '-':
		j.word = append(j.word, c)
		if len(j.word) > longestWord {
			j.endWord()
		}
	default:
		j.endWord()

		j.quoted = c == '"'
		if c < ' ' || c == 0xef || c == 0xbb || c == 0xbf {
			c = ' '
		}

		j.out = append(j.out, c)
	}
}

func (j *jsonReader) putQuoted(c byte) {
	switch {
	case c < ' ':
		j.backslash = false
		j.out = fmt.Appendf(j.out, `\u%04x`, c)
	case j.backslash:
		j.backslash = false
		j.out = append(j.out, c)
	default:
		j.backslash, j.quoted = c == '\\', c != '"'
		j.out = append(j.out, c)
	}
}

const longestWord = len("-Infinity")

func (j *jsonReader) endWord() {
	switch string(j.word) {
	case "NaN", "-NaN", "Infinity", "-Infinity":
		j.out = append(append(append(j.out, '"'), j.word...), '"')
	default:
		j.out = append(j.out, j.word...)
	}

	j.word = j.word[:0]
}
