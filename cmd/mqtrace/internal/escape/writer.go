// Package escape keeps printed JSON from controlling the terminal.
package escape

import (
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Writer escapes every character of JSON that a terminal may interpret as a command, or
// that hides or reorders text. encoding/json escapes those below U+0020 only; U+009B begins
// a control sequence on its own. Printable characters are unchanged.
type Writer struct {
	out  io.Writer
	rest []byte // the beginning of a character
}

var _ io.Writer = (*Writer)(nil)

// NewWriter returns a writer for one document.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write may hold back an incomplete character.
func (w *Writer) Write(p []byte) (int, error) {
	text := slices.Concat(w.rest, p)
	escaped := make([]byte, 0, len(text))
	for len(text) > 0 && utf8.FullRune(text) {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			escaped = append(escaped, `\ufffd`...)
		case r < ' ' || unicode.IsPrint(r): // the former only between JSON's tokens
			escaped = append(escaped, text[:size]...)
		default:
			escaped = appendEscape(escaped, r)
		}
		text = text[size:]
	}
	w.rest = slices.Clone(text)
	if _, err := w.out.Write(escaped); err != nil {
		return 0, err
	}
	return len(p), nil
}

func appendEscape(b []byte, r rune) []byte {
	if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
		return fmt.Appendf(b, `\u%04x\u%04x`, high, low)
	}
	return fmt.Appendf(b, `\u%04x`, r)
}
