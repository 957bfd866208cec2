package peek

import (
	"fmt"
	"strconv"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// maxListed is how many producers are named.
const maxListed = 10

// close writes the summary below the messages.
func (w *textWriter) close(s *Summary) error {
	if s.Shown > 0 {
		fmt.Fprintln(w.out)
	}
	shown := fmt.Sprintf("%d of %s shown", s.Shown, textfmt.Count(s.Total, "message"))
	switch {
	case s.Shown >= s.Total && !s.grew:
	case s.Shown >= s.Limit:
		shown += fmt.Sprintf(", the limit is %d (-n)", s.Limit)
	case s.Shown < s.Total: // they went to consumers, moved or expired
		shown += ", no more could be read"
	}
	fmt.Fprintln(w.out, shown)
	if s.Shown > 0 {
		counts := join(
			fmt.Sprintf("%d with context (%d sampled)", s.WithContext, s.Sampled),
			fmt.Sprintf("%d without", s.WithoutContext),
			fmt.Sprintf("%d with a bad one", s.BadContext),
			oldest(s))
		for _, line := range textfmt.Wrap(counts, w.width, maxLines) {
			fmt.Fprintln(w.out, line)
		}
		w.producers(s.Producers)
	}
	return w.out.Flush()
}

func oldest(s *Summary) string {
	text := ""
	if s.Oldest != nil {
		text = "oldest " + age(s.Oldest)
	}
	if s.UnknownAge > 0 {
		text = join(text, fmt.Sprintf("%d of unknown age", s.UnknownAge))
	}
	return text
}

// producers writes a line for each.
func (w *textWriter) producers(list []Producer) {
	width := 0
	for _, p := range list {
		width = max(width, len(strconv.Itoa(p.Messages)))
	}
	for i, p := range list {
		if i == maxListed {
			fmt.Fprintf(w.out, "  and %s\n", textfmt.Count(len(list)-maxListed, "more producer"))
			break
		}
		line := fmt.Sprintf("  %*d from ", width, p.Messages)
		trouble := ""
		if p.WithoutContext > 0 {
			trouble = fmt.Sprintf(", %d without a usable context", p.WithoutContext)
		}
		name := textfmt.Fit(printable(p.Name), max(minFrom, w.width-len(line)-len(trouble)))
		fmt.Fprintln(w.out, line+name+trouble)
	}
}
