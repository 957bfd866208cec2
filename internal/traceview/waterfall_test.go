package traceview_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// The page's view of a trace, with the names that the page reads.
type waterfall struct {
	tree.Summary

	Colors []string
	Lanes  []struct {
		Text     string
		Dead     bool
		From, To time.Duration
	}
	Rows []waterfallRow
}

type waterfallRow struct {
	ID, Name, Service, Kind, Error string
	Missing, Failed                bool
	Depth, Lane, MoreLinks         int
	Start, Duration                *time.Duration
	Wait                           *struct {
		Start, Duration time.Duration
		Text            string
	}
	Badges []struct{ Text, Tone string }
	Notes  []string
	Links  []spanLink
}

type spanLink struct {
	In, Here                   bool
	Trace, Span, Name, Service string
}

func (r waterfallRow) badges() string {
	var out []string
	for _, b := range r.Badges {
		out = append(out, b.Text+"/"+b.Tone)
	}

	return strings.Join(out, " ")
}

func waterfallOf(t *testing.T, h http.Handler, tr spans.Trace) waterfall {
	t.Helper()

	return getJSON[waterfall](t, h, "/api/traces/"+tr.ID.String()+"/waterfall")
}

// named returns the rows with the given name.
func (w waterfall) named(name string) []waterfallRow {
	return slices.DeleteFunc(slices.Clone(w.Rows), func(r waterfallRow) bool { return r.Name != name })
}

func TestWaterfallSaysWhatTheTreeSays(t *testing.T) {
	tr := sample.Order()
	got := waterfallOf(t, stored(tr.Spans...), tr)

	if got.Spans != 10 || got.Errors != 1 || got.Name != "POST /orders" || len(got.Colors) != 4 {
		t.Errorf("%+v", got.Summary)
	}

	var lines []string
	for _, r := range got.Rows {
		lines = append(lines, fmt.Sprint(r.Depth, " ", r.Name, " ", r.Service, " ", r.Kind, " ", r.Start.Round(time.Microsecond), " ", r.Duration.Round(time.Microsecond)))
	}

	want := []string{
		"0 POST /orders order-api server 0s 48.2ms",
		"1 check inventory order-api internal 1.1ms 3ms",
		"1 charge payment order-api internal 4.3ms 23.6ms",
		"2 POST order-api client 4.5ms 23.3ms",
		"3 POST /charge payment server 6.2ms 20.7ms",
		"1 publish orders order-api producer 28.4ms 18.3ms",
		"2 process order-notifications notification consumer 352.1ms 13.4ms",
		"3 enqueue emails notification producer 353ms 2.2ms",
		"4 process emails email-worker consumer 401.7ms 51.2ms",
		"4 process emails email-worker consumer 1.454s 44.6ms",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got %s", strings.Join(lines, "\n"))
	}

	if w := got.named("process order-notifications")[0].Wait; w == nil || w.Text != "waited in order-notifications" ||
		w.Start != 46700*time.Microsecond || w.Duration != 305400*time.Microsecond {
		t.Errorf("wait: %+v", w)
	}

	first, second := got.named("process emails")[0], got.named("process emails")[1]
	if !first.Failed || first.Error != "smtp: 421 4.7.0 try again later (*smtp.Error)" || first.badges() != "attempt 1/odd retry/odd" {
		t.Errorf("first attempt: %+v", first)
	}

	if second.Wait.Text != "retried after" || second.Wait.Duration != 1001100*time.Microsecond || second.badges() != "attempt 2/odd" {
		t.Errorf("second attempt: %+v", second)
	}

	if len(got.Lanes) != 2 || got.Lanes[0].Text != "attempt 1" || got.Lanes[1].Text != "attempt 2" || first.Lane != 1 || second.Lane != 2 ||
		got.Lanes[1].From != second.Wait.Start || got.Lanes[1].To != *second.Start+*second.Duration {
		t.Errorf("lanes: %+v, %d, %d", got.Lanes, first.Lane, second.Lane)
	}
}

func TestWaterfallOfOddTraces(t *testing.T) {
	tr := sample.Odd()
	got := waterfallOf(t, stored(tr.Spans...), tr)

	buried := got.named("process orders.dead")[0]
	if lane := got.Lanes[buried.Lane-1]; !lane.Dead || lane.Text != "dead letter: rejected" || buried.badges() != "dead letter: rejected/bad" {
		t.Errorf("%+v, %+v", lane, buried)
	}

	if r := got.named("process orders")[0]; r.badges() != "reject/bad" || r.Error != "rejected" {
		t.Errorf("%+v", r)
	}

	missing := slices.IndexFunc(got.Rows, func(r waterfallRow) bool { return r.Missing })
	if missing < 0 || got.Rows[missing].ID != sample.SpanID(17).String() || got.Rows[missing+1].Depth != 1 || got.Rows[missing+1].Name != "orphan" {
		t.Errorf("missing parent: %d", missing)
	}

	if r := got.named("GET /stock")[0]; len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "clocks differ") {
		t.Errorf("%+v", r)
	}

	if r := got.named("(no name)")[0]; r.Start != nil || r.Duration != nil {
		t.Errorf("%+v", r)
	}

	if r := got.Rows[0]; r.Name != `POST /orders\x1b[31m\a \u202eevil` {
		t.Errorf("%q", r.Name)
	}

	if r := got.named("process audit")[0]; len(r.Links) != 4 || r.MoreLinks != 2 || r.Links[0].Name != "publish audit" || !r.Links[0].Here || r.Links[1].Here {
		t.Errorf("links: %+v, %d more", r.Links, r.MoreLinks)
	}
}

func TestLinksLeadBothWays(t *testing.T) {
	source := sample.Linked(sample.SpanOf(2, 1), spans.Link{TraceID: sample.ID, SpanID: sample.SpanID(6), Attributes: spans.Attributes{{Key: "n", Value: int64(1)}}},
		spans.Link{TraceID: sample.ID, SpanID: sample.SpanID(6)}, spans.Link{TraceID: sample.OtherID, SpanID: sample.SpanID(1)})
	source.Name, source.Service = "process audit", "audit"
	h := stored(append(sample.Order().Spans, source)...)

	out := waterfallOf(t, h, spans.Trace{ID: sample.TraceID(2)}).Rows[0].Links
	if want := []spanLink{
		{Trace: sample.ID.String(), Span: sample.SpanID(6).String(), Name: "publish orders", Service: "order-api", Here: true},
		{Trace: sample.ID.String(), Span: sample.SpanID(6).String(), Name: "publish orders", Service: "order-api", Here: true},
		{Trace: sample.OtherID.String(), Span: sample.SpanID(1).String()},
	}; !slices.Equal(out, want) {
		t.Errorf("out: %+v", out)
	}

	in := waterfallOf(t, h, sample.Order()).named("publish orders")[0].Links
	if want := []spanLink{{In: true, Trace: sample.TraceID(2).String(), Span: sample.SpanID(1).String(), Name: "process audit", Service: "audit", Here: true}}; !slices.Equal(in, want) {
		t.Errorf("in: %+v", in)
	}
}

func TestSpanDetails(t *testing.T) {
	full := sample.Every()
	h := stored(full)

	type attribute struct{ Key, Value, Type string }

	got := getJSON[struct {
		waterfallRow

		Parent, TraceState, Status, Message string
		Begin                               *time.Time
		Attributes, Resource                []attribute
		Events                              []struct {
			Name       string
			Start      *time.Duration
			Attributes []attribute
		}
		Scope struct {
			Name, Version, SchemaURL string
			Attributes               []attribute
		}
		DroppedAttributes, DroppedEvents, DroppedLinks uint32
	}](t, h, "/api/traces/"+sample.ID.String()+"/spans/"+sample.SpanID(1).String())

	if got.Name != "publish orders" || got.Parent != sample.SpanID(2).String() || got.TraceState != "vendor=1" || got.Status != "Error" ||
		got.Message != "no" || !got.Begin.Equal(sample.Epoch) || got.DroppedAttributes != 5 || got.DroppedEvents != 6 || got.DroppedLinks == 0 {
		t.Errorf("%+v", got)
	}

	for _, want := range []attribute{
		{"string", "<b>\"\\ \u2028 ü", "string"}, {"int", "-9223372036854775808", "int"}, {"bool", "false", "bool"},
		{"double", "0.1", "double"}, {"bytes", "AP8=", "bytes"}, {"map", "{spanId: not an id}", "map"}, {"null", "null", "null"},
	} {
		if !slices.Contains(got.Attributes, want) || !slices.Contains(got.Resource, want) || !slices.Contains(got.Scope.Attributes, want) ||
			!slices.Contains(got.Events[0].Attributes, want) {
			t.Errorf("%+v is missing in %+v", want, got)
		}
	}

	if *got.Events[0].Start != time.Nanosecond || got.Scope.Name != "scope" || got.Links[0].Trace != sample.OtherID.String() {
		t.Errorf("%+v", got)
	}

	for _, path := range []string{sample.SpanID(9).String(), "nonsense", ""} {
		if w := get(h, "/api/traces/"+sample.ID.String()+"/spans/"+path); w.Code != http.StatusNotFound {
			t.Errorf("%q: %d", path, w.Code)
		}
	}
}

// A page polls every second; if nothing has changed, that costs almost nothing.
func TestUnchangedAnswersAreEmpty(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	h := traceview.NewHandler(store)
	store.Add(sample.SpanOf(1, 1), sample.SpanOf(2, 1))

	list, tr := "/api/traces", "/api/traces/"+sample.TraceID(1).String()+"/waterfall"
	tags := map[string]string{}

	check := func(what, path string, status int) {
		t.Helper()

		w := get(h, path, "If-None-Match", tags[path])
		if w.Code != status || (w.Body.Len() == 0) != (status == http.StatusNotModified) {
			t.Errorf("%s, %s: %d %s", what, path, w.Code, w.Body)
		}

		tags[path] = w.Header().Get("ETag")
	}
	check("first", list, 200)
	check("first", tr, 200)
	check("the same", list, 304)
	check("the same", tr, 304)
	store.Add(sample.SpanOf(2, 2))
	check("another trace grew", list, 200)
	check("another trace grew", tr, 304)
	store.Add(sample.Linked(sample.SpanOf(3, 1), spans.Link{TraceID: sample.TraceID(1), SpanID: sample.SpanID(1)}))
	check("a link came", tr, 200)

	// A page may stay open while the program is restarted.
	restarted := traceview.NewStore(traceview.Limits{})
	restarted.Add(sample.SpanOf(1, 1), sample.SpanOf(2, 1))
	h = traceview.NewHandler(restarted)

	check("restarted", list, 200)
}
