package terminal

import (
	"slices"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// style is the parameter of an ANSI "select graphic rendition" sequence. Only
// the eight basic colours are used: terminals let people choose those.
type style string

const (
	plain   style = ""
	bold    style = "1"
	faint   style = "2"
	failed  style = "1;31" // bold red
	trouble style = "31"   // red
	notice  style = "33"   // yellow: waits, attempts, oddities
)

// servicePalette colours services in the order in which they appear. Red and yellow are
// reserved.
var servicePalette = [...]style{"36", "32", "35", "94", "96", "92", "95", "34"}

// chunk is a run of text in one style.
type chunk struct {
	text  string
	style style
}

// line is a line of chunks whose text is already printable.
type line []chunk

func (l line) width() int {
	n := 0
	for _, c := range l {
		n += textfmt.Width(c.text)
	}

	return n
}

// join returns both lines as one, with the separator between them if both have
// something in them.
func (l line) join(separator string, other line) line {
	if len(l) == 0 || len(other) == 0 {
		return append(slices.Clip(l), other...)
	}

	return append(append(slices.Clip(l), chunk{separator, faint}), other...)
}

// fit cuts the line to the given number of columns, the last of which is then "…".
func (l line) fit(columns int) line {
	if l.width() <= columns || columns <= 0 {
		return slices.Clip(l)
	}

	columns-- // for the ellipsis

	var out line

	for _, c := range l {
		head := textfmt.Take(c.text, columns)
		if len(head) < len(c.text) {
			return append(out, chunk{head + "…", c.style})
		}

		out = append(out, c)
		columns -= textfmt.Width(head)
	}

	return out
}

// canvas collects output, with colour or without. Blanks at the end of a line
// are left out.
type canvas struct {
	out    strings.Builder
	color  bool
	blanks int
}

func (c *canvas) put(l ...chunk) {
	for _, chunk := range l {
		if chunk.text == "" {
			continue
		}

		for ; c.blanks > 0; c.blanks-- {
			c.out.WriteByte(' ')
		}

		if !c.color || chunk.style == plain {
			c.out.WriteString(chunk.text)

			continue
		}

		c.out.WriteString("\x1b[" + string(chunk.style) + "m" + chunk.text + "\x1b[0m")
	}
}

func (c *canvas) space(n int) { c.blanks += max(0, n) }

func (c *canvas) newline() {
	c.blanks = 0
	c.out.WriteByte('\n')
}
