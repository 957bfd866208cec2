package traceview_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/queues"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// fanned returns a trace of a message sent to the exchange orders the given number of
// minutes after sample.Epoch, and processed in queues. A queue before an arrow, as in
// "billing>dead", dead-lettered the message.
func fanned(number uint64, minute float64, key string, in ...string) spans.Trace {
	rabbit := func(s spans.Span, destination string) spans.Span {
		s.TraceID = sample.TraceID(number)
		s = sample.With(sample.With(s, "messaging.system", "rabbitmq"), "messaging.destination.name", destination)

		return sample.With(s, "messaging.rabbitmq.destination.routing_key", key)
	}
	at := minute * 60_000
	tr := spans.Trace{ID: sample.TraceID(number), Spans: []spans.Span{
		rabbit(sample.Span(1, 0, "shop", "publish orders", sample.Producer, at, at+1), "orders:"+key),
	}}

	for i, queue := range in {
		given, dead, givenUp := strings.Cut(queue, ">")
		if givenUp {
			queue = dead
		}

		s := rabbit(sample.Span(uint64(i+2), 1, "worker", "process "+queue, sample.Consumer, at+5, at+9), "orders:"+key+":"+queue)
		if givenUp {
			s = sample.With(sample.With(s, "mqtrace.dead_letter.count", int64(1)), "mqtrace.dead_letter.queues", []any{given})
		}

		tr.Spans = append(tr.Spans, s)
	}

	return tr
}

// A message that one queue's consumer has taken still waits in the other queues to which
// its exchange and routing key lead, and in no others.
func TestFanout(t *testing.T) {
	const key = "created"

	both := fanned(1, 0, key, "billing", "mail")
	busy := func(from, to int, in ...string) (traces []spans.Trace) {
		for n := from; n < to; n++ {
			traces = append(traces, fanned(uint64(100+n), float64(n), key, in...))
		}

		return traces
	}

	for name, tt := range map[string]struct {
		others []spans.Trace
		sent   spans.Trace
		waits  []string
	}{
		"mail is missing":                  {[]spans.Trace{both}, fanned(2, 5, key, "billing"), []string{"mail"}},
		"nothing is":                       {[]spans.Trace{both}, fanned(2, 5, key, "billing", "mail"), nil},
		"both are":                         {[]spans.Trace{both}, fanned(2, 5, key), []string{"billing", "mail"}},
		"another routing key":              {[]spans.Trace{both}, fanned(2, 5, "deleted", "billing"), nil},
		"another routing key, nobody":      {[]spans.Trace{both}, fanned(2, 5, "deleted"), []string{"orders"}},
		"seen once, long ago":              {[]spans.Trace{both}, fanned(2, 20, key, "billing"), nil},
		"long ago, and nobody has it":      {[]spans.Trace{both}, fanned(2, 20, key), []string{"billing", "mail"}},
		"for half an hour, long ago":       {busy(0, 31, "billing", "mail"), fanned(2, 59, key, "billing"), []string{"mail"}},
		"for half an hour, longer ago":     {busy(0, 31, "billing", "mail"), fanned(2, 61, key, "billing"), nil},
		"before the queue was bound":       {[]spans.Trace{both}, fanned(2, -1, key, "billing"), nil},
		"by header: less than most":        {append(busy(0, 5, "billing"), append(busy(5, 6, "billing", "mail"), append(busy(6, 7, "billing"), busy(7, 8, "billing", "mail")...)...)...), fanned(2, 9, key, "billing"), nil},
		"now and then: one of eight":       {append(busy(0, 7, "billing"), busy(7, 8, "billing", "mail")...), fanned(2, 9, key, "billing"), nil},
		"bound late: the last five":        {append(busy(0, 7, "billing"), busy(7, 12, "billing", "mail")...), fanned(2, 13, key, "billing"), []string{"mail"}},
		"a consumer that takes any":        {[]spans.Trace{both}, fanned(2, 5, key, ""), nil},
		"given up in mail":                 {[]spans.Trace{both}, fanned(2, 5, key, "billing", "mail>dead"), nil},
		"others were given up":             {[]spans.Trace{fanned(1, 0, key, "billing", "mail>dead")}, fanned(2, 5, key, "billing"), []string{"mail"}},
		"a queue that the broker names":    {[]spans.Trace{fanned(1, 0, key, "billing", "amq.gen-x1")}, fanned(2, 5, key, "billing"), nil},
		"nobody has seen the exchange yet": {nil, fanned(2, 5, key, "billing"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			all := append(slices.Clone(tt.others), tt.sent)
			now := tt.sent.Spans[0].End.Add(100 * time.Second)

			var waits []string

			for _, q := range queues.Find(all, now).Queues {
				if q.Waiting > 0 && slices.Contains(q.Traces, tt.sent.ID.String()) {
					waits = append(waits, q.Name)
				}
			}

			if !slices.Equal(waits, tt.waits) {
				t.Errorf("waits in %v, want %v", waits, tt.waits)
			}

			var out strings.Builder

			routes := tree.LearnRoutes(all, tree.TakersIn(all))
			if err := terminal.WriteTree(&out, tt.sent, terminal.Options{Now: now, Elsewhere: tree.Elsewhere{Routes: routes}}); err != nil ||
				strings.Contains(out.String(), "not consumed") != (len(tt.waits) > 0) {
				t.Errorf("%v\n%s", err, out.String())
			}

			if want := "not consumed in " + strings.Join(tt.waits, ", ") + " for 1m40s"; len(tt.waits) > 0 && tt.waits[0] != "orders" &&
				!strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		})
	}
}

// List, page and search show it, too, even for a consumer that starts its own traces.
func TestFanoutOnThePage(t *testing.T) {
	kept := traceview.NewStore(traceview.Limits{})
	linked := fanned(2, 0, "created")
	billing := fanned(3, 0, "created", "billing").Spans[1]
	billing.ParentID, billing.Links = [8]byte{}, []spans.Link{{TraceID: linked.ID, SpanID: linked.Spans[0].SpanID}}

	for _, tr := range []spans.Trace{fanned(1, -1, "created", "billing", "mail"), linked, {Spans: []spans.Span{billing}}} {
		kept.Add(tr.Spans...)
	}

	h := traceview.NewHandler(kept)
	for search, want := range map[string][]string{
		"is:waiting": {linked.ID.String()}, "waiting=mail": {linked.ID.String()}, "waiting:MAIL": {linked.ID.String()}, "waiting=billing": nil,
	} {
		var found []string
		for _, s := range getJSON[listAnswer](t, h, "/api/traces?q="+search).Traces {
			found = append(found, s.ID)
		}

		if !slices.Equal(found, want) {
			t.Errorf("%s finds %v", search, found)
		}
	}

	if got := waterfallOf(t, h, linked).Rows[0].badges(); got != "not consumed in mail as far as recorded/odd" {
		t.Errorf("%s", got)
	}
}

// Learning takes near-linear time: many messages of one route, many routes, many takers.
func TestManyRoutes(t *testing.T) {
	var traces []spans.Trace
	for n := range uint64(20_000) {
		traces = append(traces, fanned(n+1, float64(n)/100, fmt.Sprint("key", n%2*n), "billing", "mail"))
	}

	sample.Soon(t, func() { tree.New(sample.Ordinary(60_000)) }, func() {
		tree.LearnRoutes(traces, tree.TakersIn(traces))
	})
}
