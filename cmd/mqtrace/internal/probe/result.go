package probe

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Outcome is the outcome of a probe.
type Outcome string

// Only the first outcome is a success.
const (
	// Survived: every field arrived, unchanged or continued.
	Survived Outcome = "survived"
	// Damaged: the message arrived, and a field is lost or not what it was.
	Damaged Outcome = "damaged"
	// Unroutable: the exchange had no queue for the message, which is gone.
	Unroutable Outcome = "unroutable"
	// NotArrived: the message was not seen at its destination.
	NotArrived Outcome = "not arrived"
)

// Result is the result of a probe.
type Result struct {
	ID      string  `json:"id"`
	Outcome Outcome `json:"outcome"`
	// Reason says why the message was not seen.
	Reason string `json:"reason,omitempty"`
	From   string `json:"from"`
	// Places are where the probe waited for the message, the destination last.
	Places []Place `json:"places"`
	// Damage has each damaged field and where it was damaged.
	Damage []Damage `json:"damage,omitempty"`
	// Notes are further remarks.
	Notes []string `json:"notes,omitempty"`
}

// Place is where the probe waited for the message.
type Place struct {
	Name    string `json:"name"`
	Arrived bool   `json:"arrived"`
	// Seconds is the time from sending the message to seeing it here.
	Seconds float64 `json:"seconds,omitempty"`
	Fields  []Field `json:"fields,omitempty"`
	Hops    []Hop   `json:"hops,omitempty"`
}

// Damage is a damaged field and the places between which that happened.
type Damage struct {
	Field  string `json:"field"`
	After  string `json:"after"`
	Before string `json:"before"`
}

func (p *Place) arrive(after time.Duration, fields []Field, hops []Hop) {
	p.Arrived, p.Seconds, p.Fields, p.Hops = true, after.Seconds(), fields, hops
}

// conclude determines the outcome once everything that will arrive has arrived.
func (r *Result) conclude() {
	destination := r.Places[len(r.Places)-1]
	if !destination.Arrived {
		if r.Outcome == "" {
			r.Outcome = NotArrived
		}
		return
	}
	r.Outcome = Survived
	for i, f := range destination.Fields {
		if !f.ok() {
			r.Outcome = Damaged
			r.Damage = append(r.Damage, r.locate(i))
		}
	}
}

// locate finds the first place at which a field was damaged.
func (r *Result) locate(field int) Damage {
	d := Damage{Field: fieldNames[field], After: r.From}
	for _, p := range r.Places {
		if !p.Arrived {
			continue
		}
		if !p.Fields[field].ok() {
			d.Before = p.Name
			break
		}
		d.After = p.Name
	}
	return d
}

// WriteText writes the result as text. Everything from the wire is quoted.
func (r *Result) WriteText(w io.Writer) error {
	t := &textWriter{w: w}
	destination := r.Places[len(r.Places)-1]
	t.printf("%s: from %s to %s", r.Outcome, r.From, destination.Name)
	if destination.Arrived {
		t.printf(" in %v", roundDuration(destination.Seconds))
	}
	t.printf("\n")
	if r.Reason != "" {
		t.lines("  ", r.Reason)
	}
	for _, p := range r.Places {
		t.place(p, len(r.Places) > 1)
	}
	for _, d := range r.Damage {
		t.printf("%s: right at %s, wrong at %s\n", d.Field, d.After, d.Before)
	}
	for _, note := range r.Notes {
		t.lines("", "note: "+note)
	}
	return t.err
}

// textWriter keeps the first error.
type textWriter struct {
	w   io.Writer
	err error
}

func (t *textWriter) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

// lines writes a sentence, wrapped.
func (t *textWriter) lines(indent, sentence string) {
	const width, most = 100, 50
	for i, line := range textfmt.Wrap(sentence, width-len(indent)-2, most) {
		if i > 0 {
			line = "  " + line
		}
		t.printf("%s%s\n", indent, line)
	}
}

func (t *textWriter) place(p Place, named bool) {
	switch {
	case named && p.Arrived:
		t.printf("%s, after %v:\n", p.Name, roundDuration(p.Seconds))
	case named:
		t.printf("%s: not seen\n", p.Name)
	}
	for _, f := range p.Fields {
		line := fmt.Sprintf("  %-11s  %-12s", f.Name, f.Status)
		if f.Type != "" {
			line += "  type " + f.Type
		}
		if f.Header != "" {
			line += fmt.Sprintf("  as %q", f.Header)
		}
		t.printf("%s\n", strings.TrimRight(line, " "))
		if f.Status != Unchanged {
			t.printf("    sent      %q\n", f.Sent)
		}
		if f.Status == Changed || f.Status == Continued {
			t.printf("    received  %q\n", f.Received)
		}
	}
	for _, h := range p.Hops {
		t.printf("  hop: %s %s\n", h.Kind, h.Detail)
	}
}

func roundDuration(seconds float64) time.Duration {
	d := time.Duration(seconds * float64(time.Second))
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
