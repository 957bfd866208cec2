package peek

import (
	"errors"
	"io"
)

// Format says how a peek is printed.
type Format struct {
	JSON bool
	// Width is that of the terminal, in columns.
	Width int
	// System and Queue name what is peeked.
	System, Queue string
}

// Print reads at most limit messages from a source and prints each as it comes, and
// then a summary, of what there was until an error too.
func Print(out io.Writer, source Source, limit int, f Format) error {
	w, err := newWriter(out, f)
	if err != nil {
		return err
	}
	summary := NewSummary(limit, source.Total())
	for m, err := range source.Messages(limit) {
		if err == nil {
			summary.Add(&m)
			err = w.message(&m)
		}
		if err != nil {
			if summary.Shown == 0 {
				return err
			}
			summary.finish()
			return errors.Join(err, w.close(summary))
		}
	}
	summary.finish()
	return w.close(summary)
}

type writer interface {
	message(m *Message) error
	close(s *Summary) error
}

func newWriter(out io.Writer, f Format) (writer, error) {
	if f.JSON {
		return newJSONWriter(out, f.System, f.Queue)
	}
	return newTextWriter(out, f), nil
}
