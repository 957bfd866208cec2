// Package textfmt makes untrusted text safe to print, fits it into columns, and formats
// durations.
package textfmt

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Printable makes untrusted text safe to print: control characters, and characters that
// reorder or hide text, become visible escapes, for instance "\x1b", so that a name can
// neither control the terminal nor pass for another. At most limit bytes of the text are
// used; "…" shows that there was more.
func Printable(text string, limit int) string {
	cut := len(text) > limit
	if cut {
		for limit > 0 && !utf8.RuneStart(text[limit]) {
			limit--
		}

		text = text[:limit]
	}

	var b strings.Builder

	for _, r := range text { // Invalid UTF-8 becomes U+FFFD here.
		if unicode.IsPrint(r) {
			b.WriteRune(r)

			continue
		}

		quoted := strconv.QuoteRuneToASCII(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}

	if cut {
		b.WriteString("…")
	}

	return b.String()
}

// Width returns the number of columns that printable text takes.
func Width(text string) int { return uniseg.StringWidth(text) }

// Fit cuts printable text to the given number of columns, the last of which is
// then "…".
func Fit(text string, columns int) string {
	if columns <= 0 || Width(text) <= columns {
		return text
	}

	return Take(text, columns-1) + "…"
}

// Take returns as much of the start of the text as fits into the given number of columns.
// It does not split what a reader sees as one character, even if that has several runes.
func Take(text string, columns int) string {
	rest, state := text, -1
	for rest != "" {
		_, after, width, next := uniseg.FirstGraphemeClusterInString(rest, state)
		if columns -= width; columns < 0 {
			return text[:len(text)-len(rest)]
		}

		rest, state = after, next
	}

	return text
}

// Wrap breaks printable text into lines of the given number of columns, between words if
// possible. The last of the lines allowed is cut.
func Wrap(text string, columns, lines int) []string {
	var out []string

	for len(out) < lines-1 && Width(text) > columns {
		end := breakAt(text, columns)
		out = append(out, strings.TrimRight(text[:end], " "))
		text = strings.TrimLeft(text[end:], " ")
	}

	return append(out, Fit(text, columns))
}

// breakAt returns where to break a line that is too long.
func breakAt(text string, columns int) int {
	head := Take(text, columns)
	if space := strings.LastIndexByte(head, ' '); space > 0 {
		return space
	}

	if head == "" { // Not even one character fits.
		head, _, _, _ = uniseg.FirstGraphemeClusterInString(text, -1)
	}

	return len(head)
}
