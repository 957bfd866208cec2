package terminal

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// Options configure how [WriteTree] draws a trace.
type Options struct {
	// Width is the number of columns to fill. By default, 100; less than 40
	// counts as 40.
	Width int
	// Color allows ANSI colour sequences. By default, there are none.
	Color bool
	// Attributes are keys of attributes to show under each span that has them,
	// besides those that are always shown because they indicate trouble.
	Attributes []string
	// Now is the time at which the trace is viewed, from which the waits of messages that
	// nothing has consumed are computed. By default, the current time.
	Now time.Time
	// Elsewhere is what other traces reveal about the trace's messages. By default,
	// nothing.
	Elsewhere tree.Elsewhere
}

const (
	defaultWidth = 100
	minWidth     = 40
	maxWidth     = 1000
)

func (o Options) withDefaults() Options {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}

	if o.Now.IsZero() {
		o.Now = time.Now()
	}

	o.Width = min(max(o.Width, minWidth), maxWidth)

	return o
}

// OptionsFor returns the options that suit a file, usually os.Stdout. On a terminal the
// width is the terminal's, and there is colour, unless NO_COLOR is set
// (https://no-color.org) or TERM is dumb. For other files, the width is COLUMNS, if set,
// and there is no colour.
func OptionsFor(f *os.File) Options {
	var opts Options

	fd := int(f.Fd())
	if term.IsTerminal(fd) {
		opts.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"

		if columns, _, err := term.GetSize(fd); err == nil && columns > 0 {
			opts.Width = columns
		}
	}

	if opts.Width == 0 {
		if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil {
			opts.Width = columns
		}
	}

	return opts.withDefaults()
}
