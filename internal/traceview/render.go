package traceview

import (
	"io"
	"strconv"
	"time"
)

// WriteTree draws a trace as a tree: each span under its parent with its
// service, kind, start (counted from the start of the trace) and duration, and
// above a span that processed a message the time the message had waited.
//
// Names and other text from spans are made safe to print. Spans whose parent is
// not here stand under a line that says so. The error is that of the writer.
func WriteTree(w io.Writer, tr Trace, opts TreeOptions) error {
	opts = opts.withDefaults()
	b := buildRows(tr, opts)
	c := &canvas{color: opts.Color}

	writeHeader(c, tr, b)

	if len(b.rows) > 0 {
		c.newline()

		l := measure(b.rows, opts.Width)
		l.origin, l.total = b.start, tr.Duration()
		l.writeTitles(c)

		for i := range b.rows {
			l.write(c, &b.rows[i])
		}
	}

	_, err := io.WriteString(w, c.out.String())

	return err
}

func writeHeader(c *canvas, tr Trace, b *rowBuilder) {
	facts := []chunk{{"trace " + tr.ID.String(), bold}}

	if len(b.tree.order) == 0 {
		facts = append(facts, chunk{"no spans", plain})
	} else {
		facts = append(facts,
			chunk{count(len(tr.Services()), "service"), plain},
			chunk{count(len(b.tree.order), "span"), plain},
			chunk{formatDuration(tr.Duration()), plain})
	}

	if waited := b.tree.waited(); waited > 0 {
		facts = append(facts, chunk{formatDuration(waited) + " waiting", notice})
	}

	if errors := tr.Errors(); errors > 0 {
		facts = append(facts, chunk{count(errors, "error"), failed})
	}

	if tr.Dropped > 0 {
		facts = append(facts, chunk{count(tr.Dropped, "span") + " dropped", notice})
	}

	const separator = " · "

	column := 0

	for i, fact := range facts {
		w := textWidth(fact.text)

		switch {
		case i == 0:
		case column+len([]rune(separator))+w > b.width:
			c.newline()

			column = 0
		default:
			c.put(chunk{separator, faint})

			column += len([]rune(separator))
		}

		c.put(fact)

		column += w
	}

	c.newline()
}

// waited is the time that messages spent waiting, all together.
func (t *tree) waited() time.Duration {
	var sum time.Duration

	for _, n := range t.order {
		if n.wait != nil {
			sum += n.wait.duration()
		}
	}

	return max(0, sum)
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}

	return strconv.Itoa(n) + " " + noun
}
