package traceview

import "time"

// What other commands need to draw lists as the trees are drawn.

// Printable makes text from elsewhere safe to print: control characters, and
// characters that reorder or hide text, become visible escapes. At most limit
// bytes of the text are looked at; "…" says that there was more.
func Printable(text string, limit int) string { return printable(text, limit) }

// TextWidth is the number of columns that printable text takes.
func TextWidth(text string) int { return textWidth(text) }

// Fit cuts printable text to the given number of columns, the last of which is
// then "…".
func Fit(text string, columns int) string { return fit(text, columns) }

// Wrap breaks printable text into lines of the given number of columns, between
// words where it can. The last of the lines allowed is cut.
func Wrap(text string, columns, lines int) []string { return wrap(text, columns, lines) }

// FormatDuration writes a duration in a few characters: "950ns", "12.3ms",
// "1.20s", "2m03s", "5h06m", "3d04h".
func FormatDuration(d time.Duration) string { return formatDuration(d) }
