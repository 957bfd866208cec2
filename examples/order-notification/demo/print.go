package demo

import (
	"cmp"
	"fmt"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// print shows a trace's tree and, under it, what the services logged in it.
func (s *staging) print(tr spans.Trace) error {
	if err := terminal.WriteTree(s.out, tr, s.tree); err != nil {
		return fmt.Errorf("print a trace: %w", err)
	}
	fmt.Fprintln(s.out)
	lines := s.logs.of(tr.ID.String())
	if len(lines) == 0 {
		return nil
	}
	fmt.Fprintf(s.out, "   log lines with this trace_id:\n")
	for _, l := range lines {
		text := l.Message
		if why := cmp.Or(l.Error, l.Reason); why != "" {
			text += ": " + why
		}
		fmt.Fprintf(s.out, "   %-5s %-20s %s\n", l.Level, l.Service, s.cut(text))
	}
	fmt.Fprintln(s.out)
	return nil
}

// logColumns are the columns before a log line's text.
const logColumns = 30

// cut shortens text to fit the rest of its line.
func (s *staging) cut(text string) string {
	runes := []rune(text)
	if room := s.tree.Width - logColumns; len(runes) > room && room > 1 {
		return string(runes[:room-1]) + "…"
	}
	return text
}
