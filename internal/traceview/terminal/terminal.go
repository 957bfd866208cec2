// Package terminal draws a trace as a tree for a terminal: the time a message spent in a
// queue is a line of its own between the span that sent it and the span that processed
// it, and so is the pause before a retry.
package terminal

import (
	"io"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// WriteTree draws a trace as a tree: each span under its parent with its
// service, kind, start (counted from the start of the trace) and duration, and
// above a span that processed a message the time the message had waited.
//
// Names and other text from spans are made safe to print. Spans whose parent is missing
// stand under a placeholder. It returns the error of the writer.
func WriteTree(w io.Writer, tr spans.Trace, opts Options) error {
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

func writeHeader(c *canvas, tr spans.Trace, b *rowBuilder) {
	facts := []chunk{{"trace " + tr.ID.String(), bold}}

	if len(b.tree.Order) == 0 {
		facts = append(facts, chunk{"no spans", plain})
	} else {
		facts = append(facts,
			chunk{textfmt.Count(len(tr.Services()), "service"), plain},
			chunk{textfmt.Count(len(b.tree.Order), "span"), plain},
			chunk{textfmt.FormatDuration(tr.Duration()), plain})
	}

	if waited, upTo := b.tree.Waited(); waited > 0 {
		waiting := textfmt.FormatDuration(waited) + " waiting"
		if upTo {
			waiting = "up to " + waiting
		}

		facts = append(facts, chunk{waiting, notice})
	}

	if waiting, _ := b.tree.Waiting(); waiting > 0 {
		facts = append(facts, chunk{textfmt.Count(waiting, "message") + " not consumed", notice})
	}

	if scheduled, _ := b.tree.Scheduled(); scheduled > 0 {
		facts = append(facts, chunk{textfmt.Count(scheduled, "message") + " not due yet", plain})
	}

	if errors := tr.Errors(); errors > 0 {
		facts = append(facts, chunk{textfmt.Count(errors, "error"), failed})
	}

	if tr.Dropped > 0 {
		facts = append(facts, chunk{textfmt.Count(tr.Dropped, "span") + " dropped", notice})
	}

	const separator = " · "

	column := 0

	for i, fact := range facts {
		w := textfmt.Width(fact.text)

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
