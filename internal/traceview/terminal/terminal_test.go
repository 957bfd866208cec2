package terminal_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func draw(t *testing.T, tr spans.Trace, opts terminal.Options) string {
	t.Helper()

	var b bytes.Buffer
	if err := terminal.WriteTree(&b, tr, opts); err != nil {
		t.Fatal(err)
	}

	return b.String()
}

func TestTreeGolden(t *testing.T) {
	for _, tt := range []struct {
		file string
		tr   spans.Trace
		opts terminal.Options
	}{
		{"order-40", sample.Order(), terminal.Options{Width: 40}},
		{"order-60", sample.Order(), terminal.Options{Width: 60}},
		{"order-100", sample.Order(), terminal.Options{}},
		{"order-140", sample.Order(), terminal.Options{Width: 140}},
		{"order-60-color", sample.Order(), terminal.Options{Width: 60, Color: true}},
		{"order-100-color", sample.Order(), terminal.Options{Width: 100, Color: true}},
		{"order-attributes", sample.Order(), terminal.Options{Attributes: []string{"asynq.task.retry_count"}}},
		{"odd-60", sample.Odd(), terminal.Options{Width: 60}},
		{"odd-100", sample.Odd(), terminal.Options{Width: 100}},
		{"odd-140", sample.Odd(), terminal.Options{Width: 140}},
		{"deep-60", sample.Chain(20), terminal.Options{Width: 60}},
		{"empty", spans.Trace{ID: sample.ID}, terminal.Options{}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			got := draw(t, tt.tr, tt.opts)
			path := filepath.Join("testdata", tt.file+".golden")

			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}

			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}

			if got != string(want) {
				t.Errorf("differs from %s (-update rewrites it):\n%s", path, got)
			}
		})
	}
}

func TestTreeKeepsToItsWidth(t *testing.T) {
	for _, tr := range []spans.Trace{sample.Order(), sample.Odd(), sample.Chain(300)} {
		for w := 40; w <= 200; w++ {
			for line := range strings.Lines(draw(t, tr, terminal.Options{Width: w})) {
				line = strings.TrimSuffix(line, "\n")
				if columns := uniseg.StringWidth(line); columns > w {
					t.Fatalf("width %d: %d columns: %q", w, columns, line)
				}

				if strings.TrimRight(line, " ") != line {
					t.Fatalf("width %d: blanks at the end of %q", w, line)
				}
			}
		}
	}
}

func TestTreeShowsEverySpanOnce(t *testing.T) {
	tr := sample.Odd()
	got := draw(t, tr, terminal.Options{Width: 200})

	for _, name := range []string{
		"GET /stock", "process invoices", "orphan  ", "another orphan", "loop a", "loop b",
		"own parent", "process elsewhere ", "(no name)", "a duplicate id",
	} {
		if n := strings.Count(got, name); n != 1 {
			t.Errorf("%q is there %d times:\n%s", name, n, got)
		}
	}

	if !strings.Contains(got, "shares its id with another span of the trace") {
		t.Errorf("nothing says that two spans share an id:\n%s", got)
	}
}

func TestTreeIsSafeToPrint(t *testing.T) {
	hostile := "a\x1b]0;title\x07\r\n\t\x00\u009b31m\u202e\u2066\u200b\ufeff\u2028\xff\x7fz"
	s := sample.With(sample.Fail(sample.Span(1, 0, hostile, hostile, sample.Server, 0, 1), hostile, hostile), "tenant.id", hostile)
	s = sample.With(s, "mqtrace.settlement", []any{hostile, []byte(hostile), spans.Attributes{{Key: hostile, Value: hostile}}})
	c := sample.With(sample.Span(2, 1, hostile, "process "+hostile, sample.Consumer, 1, 2), "mqtrace.queue_time", 0.1)
	c = sample.Linked(c, sample.LinkTo(1))
	d := sample.With(sample.With(sample.Span(4, 3, hostile, "x", sample.Consumer, 3, 4), "mqtrace.dead_letter.count", int64(2)),
		"mqtrace.dead_letter.reasons", []any{hostile})
	p := sample.Span(3, 0, "", hostile, sample.Producer, 0, 2)

	for _, w := range []int{40, 100, 200} {
		got := draw(t, spans.Trace{ID: sample.ID, Spans: []spans.Span{s, c, p, d}}, terminal.Options{Width: w})
		for _, r := range got {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("width %d: %U is in the output:\n%q", w, r, got)
			}
		}

		if strings.Count(got, `\x1b`) < 3 {
			t.Errorf("width %d: the escape character does not show:\n%s", w, got)
		}
	}
}

func TestTreeLinks(t *testing.T) {
	parent := sample.Span(1, 0, "a", "publish orders", sample.Producer, 0, 1)

	for _, tt := range []struct {
		name string
		span spans.Span
		want string // "" for no line about a link
	}{
		{"to the parent", sample.Linked(sample.Span(2, 1, "b", "process orders", sample.Consumer, 2, 3), sample.LinkTo(1)), ""},
		{"to its producer, which its wait names", sample.Linked(sample.Span(2, 0, "b", "process orders", sample.Consumer, 2, 3), sample.LinkTo(1)), ""},
		{"to another span", sample.Linked(sample.Span(2, 0, "b", "settle", sample.Client, 2, 3), sample.LinkTo(1)), "↗ linked to publish orders a0b10001"},
		{"to a span elsewhere", sample.Linked(sample.Span(2, 1, "b", "process orders", sample.Consumer, 2, 3),
			spans.Link{TraceID: sample.OtherID, SpanID: sample.SpanID(1)}), "↗ linked to span a0b10001 of trace ccdd0102"},
		{"to a missing span", sample.Linked(sample.Span(2, 1, "b", "process orders", sample.Consumer, 2, 3), sample.LinkTo(9)),
			"↗ linked to span a0b10009, which is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := draw(t, spans.Trace{ID: sample.ID, Spans: []spans.Span{parent, tt.span}}, terminal.Options{})
			if strings.Contains(got, "↗") != (tt.want != "") || !strings.Contains(got, tt.want) {
				t.Errorf("want %q in\n%s", tt.want, got)
			}
		})
	}
}

// Input that no sender should send must still not cause a hang or a panic.
func TestTreeOfNonsense(t *testing.T) {
	far := sample.Span(1, 2, "a", "far", sample.Consumer, 0, 0)
	far.Start, far.End = time.Unix(0, 0), time.Unix(1<<40, 0)
	past := sample.With(sample.Span(2, 1, "b", "past", sample.Producer, 0, 0), "mqtrace.queue_time", 1e300)
	past.Start, past.End = time.Unix(1<<40, 0), time.Unix(-1<<40, 0)
	unset := spans.Span{}

	for _, nonsense := range [][]spans.Span{
		{far}, {past}, {far, past}, {unset}, {unset, unset, far},
		{sample.With(far, "mqtrace.queue_time", -1.0)}, {sample.With(far, "mqtrace.attempt", int64(-1))},
		{sample.Linked(far, sample.LinkTo(1), sample.LinkTo(1), spans.Link{})},
	} {
		for _, w := range []int{-1, 0, 1, 40, 1 << 30} {
			if got := draw(t, spans.Trace{ID: sample.ID, Spans: nonsense}, terminal.Options{Width: w}); got == "" {
				t.Error("nothing drawn")
			}
		}
	}
}

func TestTreeOfManySpans(t *testing.T) {
	wide := spans.Trace{ID: sample.ID, Spans: []spans.Span{sample.Span(1, 0, "a", "root", sample.Server, 0, 1)}}
	for i := range uint64(10_000) {
		wide.Spans = append(wide.Spans, sample.Span(i+2, 1, "a", "child", sample.Internal, float64(i), float64(i+1)))
	}

	ordinary := sample.Ordinary(10_000 / sample.Parts)

	for name, tr := range map[string]spans.Trace{"wide": wide, "deep": sample.Chain(10_000)} {
		sample.Soon(t, func() {
			for range sample.Parts {
				draw(t, ordinary, terminal.Options{})
			}
		}, func() {
			got := draw(t, tr, terminal.Options{})
			if lines := strings.Count(got, "\n"); lines < 10_000 || len(got) > 10<<20 {
				t.Errorf("%s: %d lines, %d bytes", name, lines, len(got))
			}
		})
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteTreeReturnsTheWritersError(t *testing.T) {
	if err := terminal.WriteTree(brokenWriter{}, sample.Order(), terminal.Options{}); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsForAFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	for columns, want := range map[string]int{"": 100, "72": 72, "8": 40, "-1": 100, "wide": 100, "999999": 1000} {
		t.Setenv("COLUMNS", columns)

		if got := terminal.OptionsFor(f); got.Width != want || got.Color {
			t.Errorf("COLUMNS=%q: %+v, want width %d and no colour", columns, got, want)
		}
	}
}
