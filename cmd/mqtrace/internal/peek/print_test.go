package peek_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

var errSource = errors.New("the source has failed")

// list is a source without a broker. Its messages end with an error, if it has one.
type list struct {
	messages []peek.Message
	err      error
	read     int // how many were requested
}

func (l *list) Total() int { return len(l.messages) }

func (l *list) Messages(limit int) iter.Seq2[peek.Message, error] {
	return func(yield func(peek.Message, error) bool) {
		for _, m := range l.messages[:min(limit, len(l.messages))] {
			l.read++
			if !yield(m, nil) {
				return
			}
		}
		if l.err != nil {
			yield(peek.Message{}, l.err)
		}
	}
}

// What was read before an error is printed with its summary, and JSON output is a document
// or nothing.
func TestPrintError(t *testing.T) {
	for _, tt := range []struct{ messages, limit, shown int }{{0, 5, 0}, {3, 5, 3}, {3, 0, 0}} {
		source := &list{err: errSource}
		for i := range tt.messages {
			source.messages = append(source.messages, peek.Message{Position: i + 1, Context: tracecontext.None, Delivery: &peek.Delivery{}})
		}
		d, err := printJSON(t, source, tt.limit)
		if !errors.Is(err, errSource) || len(d.Messages) != tt.shown || d.Summary.Shown != tt.shown {
			t.Errorf("%+v as JSON: %d messages, summary %+v, %v", tt, len(d.Messages), d.Summary, err)
		}
		if tt.shown > 0 && (d.System != peek.SystemRabbitMQ || d.Summary.Total != tt.messages || d.Summary.Limit != tt.limit) {
			t.Errorf("%+v as JSON: %+v", tt, d)
		}
		var out strings.Builder
		err = peek.Print(&out, source, tt.limit, peek.Format{Width: 80})
		if lines := strings.Count(out.String(), "no context"); !errors.Is(err, errSource) || lines != tt.shown {
			t.Errorf("%+v as text: %v\n%s", tt, err, out.String())
		}
	}
	if d, err := printJSON(t, &list{}, 1); err != nil || d.Messages == nil || d.Summary.Producers == nil {
		t.Errorf("nothing there: %+v, %v", d, err)
	}
}

// full is an output that fails after some bytes.
type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	if f.left -= n; n < len(p) {
		return n, errFull
	}
	return n, nil
}

// Nothing more is read once the output fails.
func TestPrintFull(t *testing.T) {
	messages := make([]peek.Message, 50)
	for i := range messages {
		messages[i] = peek.Message{Context: tracecontext.None, Delivery: &peek.Delivery{}}
	}
	for _, asJSON := range []bool{false, true} {
		for _, left := range []int{0, 10, 500, 1500} {
			source := &list{messages: messages}
			err := peek.Print(&full{left}, source, len(messages), peek.Format{JSON: asJSON, Width: 80})
			if !errors.Is(err, errFull) || source.read > left/20+1 {
				t.Errorf("JSON %v, %d bytes: read %d, %v", asJSON, left, source.read, err)
			}
		}
	}
}

// The summary adds up, whatever the messages are, and names a bounded number of
// producers.
func TestSummary(t *testing.T) {
	const producers = 1500
	sampled, notSampled, old, older := true, false, 1.0, 2.0
	kinds := []peek.Message{
		{Context: tracecontext.OK, Sampled: &sampled, Age: &old}, {Context: tracecontext.OK, Sampled: &notSampled, Age: &older},
		{Context: tracecontext.Bad, Age: &old}, {Context: tracecontext.None},
	}
	var messages []peek.Message
	for i := range 2 * producers {
		m := kinds[i%len(kinds)]
		m.Producer, m.Delivery = fmt.Sprint("p", i%producers), &peek.Delivery{}
		messages = append(messages, m)
	}
	d, err := printJSON(t, &list{messages: messages}, len(messages))
	ok(t, err)
	s, n := d.Summary, len(messages)
	if s.Shown != n || s.WithContext != n/2 || s.Sampled != n/4 || s.BadContext != n/4 || s.WithoutContext != n/4 || s.UnknownAge != n/4 ||
		s.Oldest == nil || *s.Oldest != older {
		t.Errorf("%+v", s)
	}
	sum, without := 0, 0
	for i, p := range s.Producers {
		sum += p.Messages
		without += p.WithoutContext
		if i > 0 && p.Messages > s.Producers[i-1].Messages {
			t.Errorf("%+v comes behind %+v", p, s.Producers[i-1])
		}
	}
	if sum != n || without != n/2 || len(s.Producers) >= producers {
		t.Errorf("%d producers sent %d messages, %d of them without context", len(s.Producers), sum, without)
	}
}

// Text keeps to the terminal's width and never drives the terminal. A link is not cut,
// since it is there to be clicked.
func TestText(t *testing.T) {
	wide := strings.Repeat("漢é👩🏽", 40) + hostile
	link := "http://x/" + strings.Repeat("l", 300)
	yes := true
	source := &list{messages: []peek.Message{
		{Context: tracecontext.OK, TraceID: traceA, ParentSpanID: spanA, Sampled: &yes, Producer: wide, Attempts: 1 << 31, BaggageKeys: []string{wide, "a"},
			Link: link, ID: wide, Delivery: &peek.Delivery{Exchange: wide, RoutingKey: wide, Redelivered: true, DeadLettered: 2,
				DeadLetters: []peek.DeadLetter{{Queue: wide, Reason: wide, Count: 1 << 40, Exchange: wide}}}},
		{Context: tracecontext.Bad, ContextError: wide, Delivery: &peek.Delivery{}},
	}}
	for width := 60; width <= 200; width += 7 {
		var out strings.Builder
		ok(t, peek.Print(&out, source, 2, peek.Format{System: peek.SystemRabbitMQ, Width: width}))
		wantHarmless(t, out.String())
		links := 0
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSpace(line)
			if line == link {
				links++
			} else if textfmt.Width(line) > width {
				t.Errorf("width %d: %q", width, line)
			}
		}
		if links != 1 {
			t.Errorf("width %d: %d links in\n%s", width, links, out.String())
		}
	}
}

// The limit is named only if it is the reason that messages are missing.
func TestTextNamesTheLimit(t *testing.T) {
	for _, tt := range []struct {
		total, there, limit int
		want                string
	}{
		{3, 3, 3, "3 of 3 messages shown"},
		{3, 3, 2, "2 of 3 messages shown, the limit is 2 (-n)"},
		{3, 1, 2, "1 of 3 messages shown, no more could be read"},
		{3, 0, 2, "0 of 3 messages shown, no more could be read"},
		{1, 3, 5, "3 of 3 messages shown"},
		{1, 3, 2, "2 of 2 messages shown, the limit is 2 (-n)"},
	} {
		messages := make([]peek.Message, tt.there)
		for i := range messages {
			messages[i] = peek.Message{Context: tracecontext.None, Delivery: &peek.Delivery{}}
		}
		var out strings.Builder
		ok(t, peek.Print(&out, counted{&list{messages: messages}, tt.total}, tt.limit, peek.Format{Width: 80}))
		if !strings.Contains(out.String(), tt.want+"\n") {
			t.Errorf("%+v:\n%s", tt, out.String())
		}
	}
}

// counted is a source whose messages were counted earlier.
type counted struct {
	*list

	total int
}

func (c counted) Total() int { return c.total }
