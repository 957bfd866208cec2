package traceview

import (
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"
)

const (
	keyErrorType  = "error.type"
	keyHTTPStatus = "http.response.status_code"
	keyTenant     = "tenant.id"
)

const (
	maxErrorLines   = 3
	maxLinks        = 3
	maxMessageBytes = 1000
	minDetailWidth  = 20
)

// addDetails appends what has to be said about a span besides its row: why it
// failed, what is odd about it, where it links to.
func (b *rowBuilder) addDetails(n *node, prefix string) {
	say := func(text string, s style, lines int) {
		columns := max(b.width-textWidth(prefix), minDetailWidth)
		for _, text := range wrap(text, columns, lines) {
			b.rows = append(b.rows, row{prefix: prefix, label: line{{text, s}}})
		}
	}

	if n.span.Failed() {
		say(printable(errorText(n.span), maxMessageBytes), trouble, maxErrorLines)
	}

	for _, text := range n.oddities() {
		say(text, notice, 1)
	}

	if text := b.attributeText(n.span); text != "" {
		say(text, faint, maxErrorLines)
	}

	links := b.linkTexts(n)
	for i, text := range links {
		if i == maxLinks && len(links) > maxLinks+1 {
			say("↗ and "+strconv.Itoa(len(links)-i)+" more links", faint, 1)

			break
		}

		say(text, faint, 1)
	}

	if n.span.DroppedLinks > 0 {
		say(strconv.FormatUint(uint64(n.span.DroppedLinks), 10)+" of its links were dropped", faint, 1)
	}
}

// oddities are what a reader should not take for what happened.
func (n *node) oddities() []string {
	var texts []string

	if n.loop {
		texts = append(texts, "its parents lead back to it: shown as a root")
	}

	if p := n.parent; p != nil && p.span != nil && !n.span.Start.IsZero() && n.span.Start.Before(p.span.Start) {
		texts = append(texts, "starts "+formatDuration(p.span.Start.Sub(n.span.Start))+" before its parent: clocks differ")
	}

	return texts
}

// errorText says why a span failed: its status message, else the exception
// recorded on it, else the type of the error.
func errorText(s *Span) string {
	text := s.Status.Message

	for i := range s.Events {
		if text == "" && s.Events[i].Name == "exception" {
			text = s.Events[i].Attributes.Text("exception.message")
		}
	}

	errorType := s.Attributes.Text(keyErrorType)

	switch {
	case text == "" && errorType == "":
		return "failed without a message"
	case text == "" && errorType == httpStatus(s):
		return "HTTP " + errorType
	case text == "":
		return errorType
	case errorType == "" || strings.Contains(text, errorType):
		return text
	default:
		return text + " (" + errorType + ")"
	}
}

// httpStatus is the status code of an HTTP request, which instrumentation of
// HTTP also gives as the type of an error.
func httpStatus(s *Span) string {
	if code, ok := s.Attributes.Number(keyHTTPStatus); ok {
		return strconv.Itoa(int(code))
	}

	return ""
}

// attributeText shows the few attributes that tell a reader on call something
// the tree does not, and those asked for.
func (b *rowBuilder) attributeText(s *Span) string {
	var parts []string

	for i := range s.Attributes {
		a := &s.Attributes[i]
		if worthShowing(s, a) || slices.Contains(b.keys, a.Key) {
			parts = append(parts, printable(a.Key, b.width)+"="+printable(FormatValue(a.Value), maxMessageBytes))
		}
	}

	return strings.Join(parts, "  ")
}

func worthShowing(s *Span, a *Attribute) bool {
	switch a.Key {
	case keySettlement:
		return a.Value != "ack" && (a.Value != "reject" || !s.Failed())
	case keyPublishOutcome:
		return a.Value != "acked"
	case keyTaskOutcome:
		return a.Value != "done"
	case keyErrorType:
		return !s.Failed()
	case keyHTTPStatus:
		code, ok := a.Value.(int64)

		return ok && code >= 400 && (!s.Failed() || !strings.Contains(errorText(s), httpStatus(s)))
	case keyDeadLetterCount:
		return a.Value != int64(1) // Its wait says as much.
	case keyTenant:
		return true
	default:
		return false
	}
}

// linkTexts describes the span's links, those that say something new.
func (b *rowBuilder) linkTexts(n *node) []string {
	var texts []string

	for _, link := range n.newLinks() {
		id := shortID(link.SpanID.String())

		if link.TraceID != n.span.TraceID {
			texts = append(texts, "↗ linked to span "+id+" of trace "+shortID(link.TraceID.String()))
		} else if target := b.tree.nodes[link.SpanID]; target != nil {
			texts = append(texts, "↗ linked to "+printable(target.span.Name, b.width)+" "+id)
		} else {
			texts = append(texts, "↗ linked to span "+id+", which is not here")
		}
	}

	return texts
}

// newLinks returns the span's links. One to the span's parent says nothing new,
// and neither does one to the span that its wait is measured from.
func (n *node) newLinks() []*Link {
	var (
		links   []*Link
		waiting trace.SpanID
	)

	if n.wait != nil && n.wait.producer != nil {
		waiting = n.wait.producer.span.SpanID
	}

	for i := range n.span.Links {
		link := &n.span.Links[i]
		if link.TraceID != n.span.TraceID || link.SpanID != n.span.ParentID && link.SpanID != waiting {
			links = append(links, link)
		}
	}

	return links
}

// shortID is enough of an id to recognise it, and to search for it.
func shortID(id string) string { return id[:8] }
