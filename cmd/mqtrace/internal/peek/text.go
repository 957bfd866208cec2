package peek

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// maxText is how much of a text is used, in bytes.
const maxText = 512

// textWriter writes a line for each message, in columns of fixed width, and below it the
// details that only some messages have.
type textWriter struct {
	out     *bufio.Writer
	width   int
	columns []column
	titled  bool
	cut     bool // the producer did not fit into the last row, and goes below it
}

// column is a column of the table. Columns that do not fit are left out, and their content
// goes below.
type column struct {
	title string
	width int
	value func(m *Message) string
}

func columnsOf(f Format) []column {
	columns := []column{
		{"AGE", 6, func(m *Message) string { return age(m.Age) }},
		{"TRIES", 5, func(m *Message) string { return strconv.Itoa(m.Attempts) }},
		{"TRACE", 32, trace},
		{"SAMPLED", 7, sampled},
		{"PARENT SPAN", 16, func(m *Message) string { return m.ParentSpanID }},
	}
	if f.System == SystemAsynq {
		columns = slices.Insert(columns, 0, column{"STATE", 11, func(m *Message) string { return m.State }})
	}
	return append(columns, column{"FROM", minFrom, func(m *Message) string { return m.Producer }})
}

// The systems, by their names in OpenTelemetry's messaging.system.
const (
	SystemRabbitMQ = "rabbitmq"
	SystemAsynq    = "asynq"
)

const (
	gap     = 2  // between columns
	minFrom = 10 // the last column takes what the others leave
)

func newTextWriter(out io.Writer, f Format) *textWriter {
	w := &textWriter{out: bufio.NewWriter(out), width: f.Width}
	all, left := columnsOf(f), f.Width
	for i, c := range all {
		if left < c.width {
			break
		}
		left -= c.width + gap
		w.columns = all[:i+1]
	}
	return w
}

func (w *textWriter) message(m *Message) error {
	if !w.titled {
		w.titled = true
		w.row(func(c *column) string { return c.title })
	}
	w.row(func(c *column) string { return c.value(m) })
	if !w.has("PARENT SPAN") && m.ParentSpanID != "" {
		w.detail(join("parent span "+m.ParentSpanID, "sampled "+sampled(m)))
	}
	for _, line := range details(m, w.cut || !w.has("FROM"), time.Now()) {
		w.detail(line)
	}
	w.lines(bodyText(m), maxBodyLines)
	if m.Link != "" { // never cut, since it is to be clicked
		fmt.Fprintln(w.out, "  "+printable(m.Link))
	}
	return w.out.Flush()
}

func (w *textWriter) row(value func(c *column) string) {
	var b strings.Builder
	for i := range w.columns {
		c := &w.columns[i]
		width := c.width
		if c.title == "FROM" {
			width = max(width, w.width-textfmt.Width(b.String()))
		}
		whole := printable(value(c))
		text := textfmt.Fit(whole, width)
		if w.cut = c.title == "FROM" && text != whole; w.cut {
			text = "" // all of it is below
		}
		b.WriteString(text)
		b.WriteString(strings.Repeat(" ", width-textfmt.Width(text)+gap))
	}
	fmt.Fprintln(w.out, strings.TrimRight(b.String(), " "))
}

// maxLines is how many lines of the terminal a detail may take.
const maxLines = 4

func (w *textWriter) detail(text string) { w.lines(text, maxLines) }

func (w *textWriter) lines(text string, most int) {
	if text == "" {
		return
	}
	for i, line := range textfmt.Wrap(text, w.width-4, most) {
		indent := "  "
		if i > 0 {
			indent = "    "
		}
		fmt.Fprintln(w.out, indent+line)
	}
}

func (w *textWriter) has(title string) bool {
	return slices.ContainsFunc(w.columns, func(c column) bool { return c.title == title })
}

func trace(m *Message) string {
	switch m.Context {
	case tracecontext.OK:
		return m.TraceID
	case tracecontext.Bad:
		return "bad context"
	default:
		return "no context"
	}
}

func sampled(m *Message) string {
	switch {
	case m.Sampled == nil:
		return ""
	case *m.Sampled:
		return "yes"
	default:
		return "no"
	}
}

// age returns the age of a message, or "?" if it is unknown.
func age(seconds *float64) string {
	if seconds == nil {
		return "?"
	}
	return textfmt.FormatDuration(duration(*seconds))
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func printable(text string) string { return textfmt.Printable(text, maxText) }

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " · ")
}
