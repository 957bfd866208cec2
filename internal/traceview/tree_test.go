package traceview_test

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

	"github.com/mqtrace/mqtrace/internal/traceview"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func draw(t *testing.T, tr traceview.Trace, opts traceview.TreeOptions) string {
	t.Helper()

	var b bytes.Buffer
	if err := traceview.WriteTree(&b, tr, opts); err != nil {
		t.Fatal(err)
	}

	return b.String()
}

func TestTreeGolden(t *testing.T) {
	for _, tt := range []struct {
		file string
		tr   traceview.Trace
		opts traceview.TreeOptions
	}{
		{"order-40", orderTrace(), traceview.TreeOptions{Width: 40}},
		{"order-60", orderTrace(), traceview.TreeOptions{Width: 60}},
		{"order-100", orderTrace(), traceview.TreeOptions{}},
		{"order-140", orderTrace(), traceview.TreeOptions{Width: 140}},
		{"order-60-color", orderTrace(), traceview.TreeOptions{Width: 60, Color: true}},
		{"order-100-color", orderTrace(), traceview.TreeOptions{Width: 100, Color: true}},
		{"order-attributes", orderTrace(), traceview.TreeOptions{Attributes: []string{"asynq.task.retry_count"}}},
		{"odd-60", oddTrace(), traceview.TreeOptions{Width: 60}},
		{"odd-100", oddTrace(), traceview.TreeOptions{Width: 100}},
		{"odd-140", oddTrace(), traceview.TreeOptions{Width: 140}},
		{"deep-60", chain(20), traceview.TreeOptions{Width: 60}},
		{"empty", traceview.Trace{ID: sampleID}, traceview.TreeOptions{}},
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
	for _, tr := range []traceview.Trace{orderTrace(), oddTrace(), chain(300)} {
		for w := 40; w <= 200; w++ {
			for line := range strings.Lines(draw(t, tr, traceview.TreeOptions{Width: w})) {
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

// chain is a trace in which each span is the child of the one before.
func chain(n uint64) traceview.Trace {
	tr := traceview.Trace{ID: sampleID}
	for i := range n {
		tr.Spans = append(tr.Spans, spanAt(i+1, i, "svc", "step", internal, float64(i), float64(n)))
	}

	return tr
}

func TestTreeShowsEverySpanOnce(t *testing.T) {
	tr := oddTrace()
	got := draw(t, tr, traceview.TreeOptions{Width: 200})

	for _, name := range []string{
		"GET /stock", "process invoices", "orphan  ", "another orphan", "loop a", "loop b",
		"own parent", "process elsewhere ", "(no name)",
	} {
		if n := strings.Count(got, name); n != 1 {
			t.Errorf("%q is there %d times:\n%s", name, n, got)
		}
	}

	if strings.Contains(got, "a duplicate id") {
		t.Errorf("a span id stands for two spans:\n%s", got)
	}
}

func TestTreeIsSafeToPrint(t *testing.T) {
	hostile := "a\x1b]0;title\x07\r\n\t\x00\u009b31m\u202e\u2066\u200b\ufeff\u2028\xff\x7fz"
	s := with(fail(spanAt(1, 0, hostile, hostile, server, 0, 1), hostile, hostile), "tenant.id", hostile)
	s = with(s, "mqtrace.settlement", []any{hostile, []byte(hostile), traceview.Attributes{{Key: hostile, Value: hostile}}})
	c := with(spanAt(2, 1, hostile, "process "+hostile, consumer, 1, 2), "mqtrace.queue_time", 0.1)
	c = linked(c, linkTo(1))
	d := with(with(spanAt(4, 3, hostile, "x", consumer, 3, 4), "mqtrace.dead_letter.count", int64(2)),
		"mqtrace.dead_letter.reasons", []any{hostile})
	p := spanAt(3, 0, "", hostile, producer, 0, 2)

	for _, w := range []int{40, 100, 200} {
		got := draw(t, traceview.Trace{ID: sampleID, Spans: []traceview.Span{s, c, p, d}}, traceview.TreeOptions{Width: w})
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
	parent := spanAt(1, 0, "a", "publish orders", producer, 0, 1)

	for _, tt := range []struct {
		name string
		span traceview.Span
		want string // "" for no line about a link
	}{
		{"to the parent", linked(spanAt(2, 1, "b", "process orders", consumer, 2, 3), linkTo(1)), ""},
		{"to its producer, which its wait names", linked(spanAt(2, 0, "b", "process orders", consumer, 2, 3), linkTo(1)), ""},
		{"to another span", linked(spanAt(2, 0, "b", "settle", client, 2, 3), linkTo(1)), "↗ linked to publish orders a0b10001"},
		{"to a span elsewhere", linked(spanAt(2, 1, "b", "process orders", consumer, 2, 3),
			traceview.Link{TraceID: otherID, SpanID: spanID(1)}), "↗ linked to span a0b10001 of trace ccdd0102"},
		{"to a span not here", linked(spanAt(2, 1, "b", "process orders", consumer, 2, 3), linkTo(9)),
			"↗ linked to span a0b10009, which is not here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := draw(t, traceview.Trace{ID: sampleID, Spans: []traceview.Span{parent, tt.span}}, traceview.TreeOptions{})
			if strings.Contains(got, "↗") != (tt.want != "") || !strings.Contains(got, tt.want) {
				t.Errorf("want %q in\n%s", tt.want, got)
			}
		})
	}
}

// What no sender should send must still not hang or panic.
func TestTreeOfNonsense(t *testing.T) {
	far := spanAt(1, 2, "a", "far", consumer, 0, 0)
	far.Start, far.End = time.Unix(0, 0), time.Unix(1<<40, 0)
	past := with(spanAt(2, 1, "b", "past", producer, 0, 0), "mqtrace.queue_time", 1e300)
	past.Start, past.End = time.Unix(1<<40, 0), time.Unix(-1<<40, 0)
	unset := traceview.Span{}

	for _, spans := range [][]traceview.Span{
		{far}, {past}, {far, past}, {unset}, {unset, unset, far},
		{with(far, "mqtrace.queue_time", -1.0)}, {with(far, "mqtrace.attempt", int64(-1))},
		{linked(far, linkTo(1), linkTo(1), traceview.Link{})},
	} {
		for _, w := range []int{-1, 0, 1, 40, 1 << 30} {
			if got := draw(t, traceview.Trace{ID: sampleID, Spans: spans}, traceview.TreeOptions{Width: w}); got == "" {
				t.Error("nothing drawn")
			}
		}
	}
}

func TestTreeOfManySpans(t *testing.T) {
	wide := traceview.Trace{ID: sampleID, Spans: []traceview.Span{spanAt(1, 0, "a", "root", server, 0, 1)}}
	for i := range uint64(10_000) {
		wide.Spans = append(wide.Spans, spanAt(i+2, 1, "a", "child", internal, float64(i), float64(i+1)))
	}

	ordinary := ordinaryTrace(10_000 / parts)

	for name, tr := range map[string]traceview.Trace{"wide": wide, "deep": chain(10_000)} {
		soon(t, func() {
			for range parts {
				draw(t, ordinary, traceview.TreeOptions{})
			}
		}, func() {
			got := draw(t, tr, traceview.TreeOptions{})
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
	if err := traceview.WriteTree(brokenWriter{}, orderTrace(), traceview.TreeOptions{}); !errors.Is(err, errBroken) {
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

		if got := traceview.OptionsFor(f); got.Width != want || got.Color {
			t.Errorf("COLUMNS=%q: %+v, want width %d and no colour", columns, got, want)
		}
	}
}
