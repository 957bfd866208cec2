package page

import (
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// spanDetails is everything known about a span, as the page shows it on a click.
type spanDetails struct {
	waterfallRow

	Parent     string `json:"parent,omitempty"`
	TraceState string `json:"traceState,omitempty"`
	Flags      uint32 `json:"flags"`
	// Begin is when the span started, null if that is not known.
	Begin   *time.Time `json:"begin"`
	Status  string     `json:"status"`
	Message string     `json:"message,omitempty"`

	Attributes []shownAttribute `json:"attributes"`
	Events     []shownEvent     `json:"events"`
	Resource   []shownAttribute `json:"resource"`
	Scope      shownScope       `json:"scope"`

	DroppedAttributes uint32 `json:"droppedAttributes"`
	DroppedEvents     uint32 `json:"droppedEvents"`
	DroppedLinks      uint32 `json:"droppedLinks"`
}

// shownAttribute is an attribute with its value as text. The page shows the type beside the
// value.
type shownAttribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Type  string `json:"type"`
}

type shownEvent struct {
	Name string `json:"name"`
	// Start is in nanoseconds from the start of the span, null if it is not known.
	Start      *time.Duration   `json:"start"`
	Attributes []shownAttribute `json:"attributes"`
}

type shownScope struct {
	Name       string           `json:"name"`
	Version    string           `json:"version"`
	SchemaURL  string           `json:"schemaUrl"`
	Attributes []shownAttribute `json:"attributes"`
}

// Limits on what the details of a span show. A saved trace has everything.
const (
	maxShownText  = 32 << 10 // bytes of a value: a stack trace
	maxShownParts = 500      // attributes, events, links
)

func newSpanDetails(n *tree.Node, links *linkFinder) spanDetails {
	s := n.Span
	d := spanDetails{
		waterfallRow: newWaterfallBuilder(links).row(n, maxShownParts),
		TraceState:   s.TraceState, Flags: s.Flags,
		Status: s.Status.Code.String(), Message: spans.FormatValueTo(s.Status.Message, maxShownText),
		Attributes: showAttributes(s.Attributes), Events: []shownEvent{},
		Resource: showAttributes(s.Resource.Attributes),
		Scope: shownScope{
			Name: s.Scope.Name, Version: s.Scope.Version, SchemaURL: s.Scope.SchemaURL,
			Attributes: showAttributes(s.Scope.Attributes),
		},
		DroppedAttributes: s.DroppedAttributes, DroppedEvents: s.DroppedEvents, DroppedLinks: s.DroppedLinks,
	}

	if s.ParentID.IsValid() {
		d.Parent = s.ParentID.String()
	}

	if !s.Start.IsZero() {
		d.Begin = &s.Start
	}

	for i := range s.Events[:min(len(s.Events), maxShownParts)] {
		e := &s.Events[i]
		shown := shownEvent{Name: textfmt.Printable(e.Name, tree.MaxName), Attributes: showAttributes(e.Attributes)}

		if !e.Time.IsZero() && !s.Start.IsZero() {
			at := e.Time.Sub(s.Start)
			shown.Start = &at
		}

		d.Events = append(d.Events, shown)
	}

	return d
}

func showAttributes(a spans.Attributes) []shownAttribute {
	out := []shownAttribute{}
	for i := range a[:min(len(a), maxShownParts)] {
		out = append(out, shownAttribute{a[i].Key, spans.FormatValueTo(a[i].Value, maxShownText), typeName(a[i].Value)})
	}

	return out
}

// typeName returns OpenTelemetry's name for the type of a value.
func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "double"
	case []byte:
		return "bytes"
	case []any:
		return "array"
	case spans.Attributes:
		return "map"
	default:
		return "null"
	}
}
