package peek

import (
	"errors"
	"io"
)

// Format is the output format of a peek.
type Format struct {
	JSON bool
	// Width is the terminal's, in columns.
	Width int
	// System and Queue name what is peeked.
	System, Queue string
}

// Print reads at most limit messages from a source, prints each as it arrives, and then a
// summary, even after an error.
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
