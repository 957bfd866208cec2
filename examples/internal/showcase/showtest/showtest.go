// Package showtest runs the examples in tests and compares their traces.
package showtest

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/internal/showcase"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// Attributes that an outline shows, with their names there.
var shown = []struct{ key, name string }{
	{"mqtrace.attempt", "attempt"},
	{"mqtrace.settlement", "settled"},
	{"mqtrace.publish.outcome", "outcome"},
	{"messaging.message.conversation_id", "conversation"},
	{"messaging.message.id", "message"},
	{"messaging.batch.message_count", "messages"},
	{"mqtrace.dead_letter.counts", "deaths"},
	{"tenant.id", "tenant"},
	{"error.type", "error"},
}

// Run runs an example as a program and on the in-process broker and, if one is named, on a
// real one, and compares its traces with an outline, which has a line for each span, under
// its parent.
func Run(t *testing.T, e showcase.Example, want string) {
	t.Helper()
	brokers := map[string]string{"in-process": ""}
	if url := os.Getenv(showcase.BrokerVariable); url != "" {
		brokers["real"] = url
	}
	t.Run("program", func(t *testing.T) { checkProgram(t, e.Name) })
	for name, url := range brokers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			played, err := e.Play(t.Context(), url, &out, terminal.Options{Width: 160})
			if err != nil {
				t.Fatal(err)
			}
			if got := Outline(played); got != strings.TrimLeft(want, "\n") {
				t.Errorf("the traces are\n%s\nwant\n%s", got, want)
			}
			checkNames(t, played)
			checkOutput(t, e, played, out.String())
		})
	}
}

// madeUp matches names that brokers generate. In span names, they would make a name for each
// client.
var madeUp = regexp.MustCompile(`amq\.gen-[^*]|amq\.rabbitmq\.reply-to\.[^*]`)

func checkNames(t *testing.T, played *showcase.Played) {
	t.Helper()
	for _, tr := range played.Traces {
		for i := range tr.Spans {
			if name := tr.Spans[i].Name; madeUp.MatchString(name) {
				t.Errorf("span %q contains a generated name", name)
			}
		}
	}
}

// checkOutput checks that the output has the tree of each trace, a row for each span, and
// what to look at.
func checkOutput(t *testing.T, e showcase.Example, played *showcase.Played, out string) {
	t.Helper()
	if !strings.HasSuffix(out, "\n"+strings.TrimSpace(e.LookAt)+"\n") {
		t.Errorf("the output does not end with what to look at:\n%s", out)
	}
	_, out, _ = strings.Cut(out, "trace ")
	trees := strings.Split(out, "\ntrace ")
	if len(trees) != len(played.Traces) {
		t.Fatalf("%d trees of %d traces:\n%s", len(trees), len(played.Traces), out)
	}
	for i, tr := range played.Traces {
		if !strings.HasPrefix(trees[i], tr.ID.String()) {
			t.Errorf("the tree is not of trace %v:\n%s", tr.ID, trees[i])
		}
		for j := range tr.Spans {
			row := regexp.MustCompile(`(?m)^[│├└─┆ ✖]*` + regexp.QuoteMeta(tr.Spans[j].Name) + ` .* ` + tr.Spans[j].Kind.String() + ` `)
			if !row.MatchString(trees[i]) {
				t.Errorf("no row of %q in\n%s", tr.Spans[j].Name, trees[i])
			}
		}
	}
}

// Outline formats traces for comparison: names, kinds, services, parents, links and the
// attributes that matter, without ids and times.
func Outline(played *showcase.Played) string {
	o := outline{labels: make(map[trace.SpanID]string)}
	for _, tr := range played.Traces {
		o.spans = append(o.spans, slices.SortedFunc(slices.Values(tr.Spans), func(a, b spans.Span) int {
			// By name first: the order of what two consumers do at the same time is random.
			return cmp.Or(cmp.Compare(a.Name, b.Name), a.Start.Compare(b.Start))
		}))
	}
	slices.SortFunc(o.spans, func(a, b []spans.Span) int { return root(a).Start.Compare(root(b).Start) })
	for _, spans := range o.spans {
		o.label(spans, trace.SpanID{}, 0)
	}
	for i, spans := range o.spans {
		if i > 0 {
			o.text.WriteString("\n")
		}
		o.write(spans, trace.SpanID{}, 0)
	}
	text := o.text.String()
	if played.Prefix != "" {
		text = strings.ReplaceAll(text, played.Prefix, "")
	}
	return text
}

func root(all []spans.Span) spans.Span {
	return slices.MinFunc(all, func(a, b spans.Span) int { return a.Start.Compare(b.Start) })
}

type outline struct {
	spans  [][]spans.Span // of each trace, by name and start
	labels map[trace.SpanID]string
	text   strings.Builder
}

// label numbers the spans in the order in which they are written.
func (o *outline) label(spans []spans.Span, parent trace.SpanID, depth int) {
	for i := range spans {
		if s := &spans[i]; s.ParentID == parent && depth < 100 {
			o.labels[s.SpanID] = fmt.Sprintf("#%d", len(o.labels)+1)
			o.label(spans, s.SpanID, depth+1)
		}
	}
}

func (o *outline) write(spans []spans.Span, parent trace.SpanID, depth int) {
	for i := range spans {
		s := &spans[i]
		if s.ParentID != parent || depth > 100 {
			continue
		}
		fmt.Fprintf(&o.text, "%s%s %s: %s [%s]",
			strings.Repeat("  ", depth), o.labels[s.SpanID], s.Service, s.Name, s.Kind)
		o.attributes(s.Attributes)
		for _, l := range s.Links {
			fmt.Fprintf(&o.text, " ->%s", cmp.Or(o.labels[l.SpanID], "nowhere"))
			if len(s.Links) > 1 {
				o.attributes(l.Attributes)
			}
		}
		o.text.WriteString("\n")
		o.write(spans, s.SpanID, depth+1)
	}
}

func (o *outline) attributes(attributes spans.Attributes) {
	for _, a := range shown {
		if v, ok := attributes.Get(a.key); ok {
			fmt.Fprintf(&o.text, " %s=%s", a.name, spans.FormatValue(v))
		}
	}
}
