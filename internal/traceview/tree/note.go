package tree

import (
	"cmp"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Notes returns warnings about what a reader should not take at face value.
func (n *Node) Notes() []string {
	s := n.Span

	var notes []string

	if n.loop {
		notes = append(notes, "is its own ancestor: shown as a root")
	}

	if p := n.Parent; p != nil && p.Span != nil && !s.Start.IsZero() && s.Start.Before(p.Span.Start) {
		notes = append(notes, "starts "+textfmt.FormatDuration(p.Span.Start.Sub(s.Start))+" before its parent: clocks differ")
	}

	if w := n.Wait; w != nil && w.Producer != nil && w.Producer != n.Parent && s.Start.Before(w.Producer.Span.Start) {
		notes = append(notes, "starts "+textfmt.FormatDuration(w.Producer.Span.Start.Sub(s.Start))+" before its message was sent: clocks differ")
	}

	if !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start) {
		notes = append(notes, "ends "+textfmt.FormatDuration(s.Start.Sub(s.End))+" before it starts")
	}

	if strings.Contains(n.ID, ".") {
		notes = append(notes, "shares its id with another span of the trace")
	}

	if n.Waiting != nil {
		notes = append(notes, n.Waiting.Text())
	}

	if s.LeftOut > 0 {
		notes = append(notes, textfmt.Count(int(s.LeftOut), "value")+" left out: not valid there in OTLP")
	}

	return notes
}

const (
	keyErrorType     = "error.type"
	keyHTTPStatus    = "http.response.status_code"
	keyHTTPStatusOld = "http.status_code" // before conventions 1.23
)

// ErrorText returns why a span failed: its status message, else the exception recorded on
// it, else the type of the error.
func ErrorText(s *spans.Span) string {
	message := s.Status.Message

	for i := range s.Events {
		if message == "" {
			message = exceptionText(&s.Events[i])
		}
	}

	errorType := s.Attributes.Text(keyErrorType)

	switch {
	case message == "" && errorType == "":
		return "failed without a message"
	case message == "" && errorType == HTTPStatus(s):
		return "HTTP " + errorType
	case message == "":
		return errorType
	case errorType == "" || strings.Contains(message, errorType):
		return message
	default:
		return message + " (" + errorType + ")"
	}
}

// exceptionText returns what an event says about an exception, "" if it is about something
// else. Some exceptions have nothing but their type.
func exceptionText(e *spans.Event) string {
	switch e.Name {
	case "exception":
		return cmp.Or(e.Attributes.Text("exception.message"), e.Attributes.Text("exception.type"))
	case "error": // OpenTracing's
		return cmp.Or(e.Attributes.Text("message"), e.Attributes.Text("error.object"), e.Attributes.Text("error.kind"))
	default:
		return ""
	}
}

// HTTPStatus returns the status code of an HTTP request, which HTTP instrumentation also
// records as the type of an error, or "" if there is none.
func HTTPStatus(s *spans.Span) string {
	for _, key := range []string{keyHTTPStatus, keyHTTPStatusOld} {
		if code, ok := s.Attributes.Number(key); ok {
			return strconv.Itoa(int(code))
		}
	}

	return ""
}

// MaxName bounds the length of names shown in a row, in bytes.
const MaxName = 256

// SpanName returns the name of a span, fit to be shown on one line.
func SpanName(s *spans.Span) string {
	if name := textfmt.Printable(s.Name, MaxName); strings.TrimSpace(name) != "" {
		return name
	}

	return "(no name)"
}

// Kind returns the kind of a span as a word, "" if it has none.
func Kind(kind trace.SpanKind) string {
	if kind == trace.SpanKindUnspecified {
		return ""
	}

	return kind.String()
}

// Links returns the span's links, except those to its parent and to the span that its wait
// is measured from, which add nothing.
func (n *Node) Links() []*spans.Link {
	var (
		links   []*spans.Link
		waiting trace.SpanID
	)

	if n.Wait != nil && n.Wait.Producer != nil {
		waiting = n.Wait.Producer.Span.SpanID
	}

	for i := range n.Span.Links {
		link := &n.Span.Links[i]
		if link.TraceID != n.Span.TraceID || link.SpanID != n.Span.ParentID && link.SpanID != waiting {
			links = append(links, link)
		}
	}

	return links
}
