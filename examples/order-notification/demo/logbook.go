package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
)

// maxLines bounds the lines kept per trace, and maxTraces the traces.
const (
	maxLines  = 50
	maxTraces = 1000
)

// line has the fields of a JSON log line that the demo shows.
type line struct {
	Level   string `json:"level"`
	Service string `json:"service"`
	Message string `json:"msg"`
	Error   string `json:"error"`
	Reason  string `json:"reason"`
	TraceID string `json:"trace_id"`
}

// logbook collects the services' log lines by trace, to be shown under the trace's tree.
// Warnings that belong to no trace go to standard error at once, as does everything in
// verbose mode.
type logbook struct {
	stderr  io.Writer
	verbose bool

	mu    sync.Mutex
	lines map[string][]line
}

func newLogbook(stderr io.Writer, verbose bool) *logbook {
	return &logbook{stderr: stderr, verbose: verbose, lines: make(map[string][]line)}
}

var _ io.Writer = (*logbook)(nil)

// Write takes one line, as slog's handlers write them.
func (b *logbook) Write(data []byte) (int, error) {
	var l line
	err := json.Unmarshal(data, &l)
	urgent := l.TraceID == "" && (l.Level == "WARN" || l.Level == "ERROR")
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.verbose || urgent || err != nil {
		if _, err := b.stderr.Write(data); err != nil {
			return 0, fmt.Errorf("write the log: %w", err)
		}
	}
	_, known := b.lines[l.TraceID]
	if l.TraceID != "" && (known || len(b.lines) < maxTraces) && len(b.lines[l.TraceID]) < maxLines {
		b.lines[l.TraceID] = append(b.lines[l.TraceID], l)
	}
	return len(data), nil
}

// of returns the lines of a trace, oldest first.
func (b *logbook) of(traceID string) []line {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]line(nil), b.lines[traceID]...)
}
