package peek

import (
	"fmt"
	"strings"
)

// maxListed is how many producers are named.
const maxListed = 10

// close writes the summary below the messages.
func (w *textWriter) close(s *Summary) error {
	if s.Shown > 0 {
		fmt.Fprintln(w.out)
	}
	shown := fmt.Sprintf("%d of %d messages shown", s.Shown, s.Total)
	if s.Shown < s.Total {
		shown += fmt.Sprintf(", the limit is %d (-n)", s.Limit)
	}
	fmt.Fprintln(w.out, shown)
	if s.Shown > 0 {
		fmt.Fprintln(w.out, join(
			fmt.Sprintf("%d with context (%d sampled)", s.WithContext, s.Sampled),
			fmt.Sprintf("%d without", s.WithoutContext),
			fmt.Sprintf("%d bad", s.BadContext),
			oldest(s)))
		fmt.Fprintln(w.out, producers(s.Producers))
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

func producers(list []Producer) string {
	var b strings.Builder
	b.WriteString("from")
	for i, p := range list {
		if i == maxListed {
			fmt.Fprintf(&b, ", and %d more", len(list)-maxListed)
			break
		}
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, " %s: %d", printable(p.Name), p.Messages)
		if p.WithoutContext > 0 {
			fmt.Fprintf(&b, " (%d without context)", p.WithoutContext)
		}
	}
	return b.String()
}
