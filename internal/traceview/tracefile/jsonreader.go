package tracefile

import (
	"fmt"
	"io"
)

// jsonReader passes JSON on and repairs what some programs write although it is not JSON.
// NaN and Infinity become strings, as in OTLP. Control characters are escaped in strings.
// Elsewhere they become blanks, as do byte order marks: a crash may leave zeros in a file.
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
	case c == '\n': // No string continues on the next line.
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
