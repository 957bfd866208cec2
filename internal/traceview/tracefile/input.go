package tracefile

import (
	"bytes"
	"errors"
	"io"
	"regexp"
)

// input is the source, preceded by what a decoder read from it but did not use.
type input struct {
	left []byte
	src  io.Reader
	err  error // of the source, other than io.EOF
	// ended is how many lines ended before what is read next.
	ended int
	// again counts the bytes that were handed back to be read again, tries how often.
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

// document matches the beginning of a document of OTLP, after its {".
var document = regexp.MustCompile(`resource(?:Spans|Metrics|Logs|Profiles|_spans|_metrics|_logs|_profiles)"\s*:`)

// skip skips to the next line, or to another document in the same line: a program that is
// killed while it writes continues in that line after its restart. It reports whether there
// is more.
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
