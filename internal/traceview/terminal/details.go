package terminal

import (
	"slices"
	"strconv"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

const (
	keyErrorType     = "error.type"
	keyHTTPStatus    = "http.response.status_code"
	keyHTTPStatusOld = "http.status_code"
	keyTenant        = "tenant.id"
)

const (
	maxErrorLines   = 3
	maxLinks        = 3
	maxMessageBytes = 1000
	minDetailWidth  = 20
)

// addDetails appends what a span's row does not show: why it failed, what is odd about it,
// what it links to.
func (b *rowBuilder) addDetails(n *tree.Node, prefix string) {
	write := func(say string, s style, lines int) {
		columns := max(b.width-textfmt.Width(prefix), minDetailWidth)
		for _, part := range textfmt.Wrap(say, columns, lines) {
			b.rows = append(b.rows, row{prefix: prefix, label: line{{part, s}}})
		}
	}

	if n.Span.Failed() {
		write(textfmt.Printable(tree.ErrorText(n.Span), maxMessageBytes), trouble, maxErrorLines)
	}

	for _, note := range n.Notes() {
		write(note, notice, 1)
	}

	if attributes := b.attributeText(n.Span); attributes != "" {
		write(attributes, faint, maxErrorLines)
	}

	links := b.linkTexts(n)
	for i, link := range links {
		if i == maxLinks && len(links) > maxLinks+1 {
			write("↗ and "+strconv.Itoa(len(links)-i)+" more links", faint, 1)

			break
		}

		write(link, faint, 1)
	}

	if n.Span.DroppedLinks > 0 {
		write(strconv.FormatUint(uint64(n.Span.DroppedLinks), 10)+" of its links were dropped", faint, 1)
	}
}

// attributeText returns the few attributes that help a reader on call, and the requested
// ones.
func (b *rowBuilder) attributeText(s *spans.Span) string {
	var parts []string

	for i := range s.Attributes {
		a := &s.Attributes[i]
		if worthShowing(s, a) || slices.Contains(b.keys, a.Key) {
			parts = append(parts, textfmt.Printable(a.Key, b.width)+"="+textfmt.Printable(spans.FormatValue(a.Value), maxMessageBytes))
		}
	}

	return strings.Join(parts, "  ")
}

func worthShowing(s *spans.Span, a *spans.Attribute) bool {
	switch a.Key {
	case messaging.KeySettlement:
		return a.Value != "ack" && (a.Value != "reject" || !s.Failed())
	case messaging.KeyPublishOutcome:
		return a.Value != "acked"
	case messaging.KeyTaskOutcome:
		return a.Value != "done"
	case keyErrorType:
		return !s.Failed()
	case keyHTTPStatus, keyHTTPStatusOld:
		code, ok := a.Value.(int64)

		return ok && code >= 400 && (!s.Failed() || !strings.Contains(tree.ErrorText(s), tree.HTTPStatus(s)))
	case messaging.KeyDeadLetters:
		return a.Value != int64(1) // Its wait shows this already.
	case keyTenant:
		return true
	default:
		return false
	}
}

// linkTexts describes the span's links, except those that add nothing.
func (b *rowBuilder) linkTexts(n *tree.Node) []string {
	var texts []string

	for _, link := range n.Links() {
		id := shortID(link.SpanID.String())

		if link.TraceID != n.Span.TraceID {
			texts = append(texts, "↗ linked to span "+id+" of trace "+shortID(link.TraceID.String()))
		} else if target := b.tree.Find(link.SpanID); target != nil {
			texts = append(texts, "↗ linked to "+textfmt.Printable(target.Span.Name, b.width)+" "+id)
		} else {
			texts = append(texts, "↗ linked to span "+id+", which is missing")
		}
	}

	return texts
}

// shortID returns enough of an id to recognise it and to search for it.
func shortID(id string) string { return id[:8] }
