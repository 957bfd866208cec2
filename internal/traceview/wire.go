package traceview

import "encoding/json"

// The types of OTLP's JSON encoding, written by encoding/json: protobuf's own
// mapping writes ids and enumerations differently. The names are those of
// https://github.com/open-telemetry/opentelemetry-proto.

type wireTraces struct {
	ResourceSpans []*wireResourceSpans `json:"resourceSpans"`
}

type wireResourceSpans struct {
	Resource   wireResource      `json:"resource"`
	ScopeSpans []*wireScopeSpans `json:"scopeSpans"`
	SchemaURL  string            `json:"schemaUrl,omitempty"`
}

type wireResource struct {
	Attributes        []wireKeyValue `json:"attributes,omitempty"`
	DroppedAttributes uint32         `json:"droppedAttributesCount,omitempty"`
}

type wireScopeSpans struct {
	Scope     wireScope   `json:"scope"`
	Spans     []*wireSpan `json:"spans"`
	SchemaURL string      `json:"schemaUrl,omitempty"`
}

type wireScope struct {
	Name              string         `json:"name,omitempty"`
	Version           string         `json:"version,omitempty"`
	Attributes        []wireKeyValue `json:"attributes,omitempty"`
	DroppedAttributes uint32         `json:"droppedAttributesCount,omitempty"`
}

type wireSpan struct {
	TraceID           string         `json:"traceId"`
	SpanID            string         `json:"spanId"`
	TraceState        string         `json:"traceState,omitempty"`
	ParentSpanID      string         `json:"parentSpanId,omitempty"`
	Flags             uint32         `json:"flags,omitempty"`
	Name              string         `json:"name"`
	Kind              int            `json:"kind,omitempty"`
	Start             string         `json:"startTimeUnixNano,omitempty"`
	End               string         `json:"endTimeUnixNano,omitempty"`
	Attributes        []wireKeyValue `json:"attributes,omitempty"`
	DroppedAttributes uint32         `json:"droppedAttributesCount,omitempty"`
	Events            []wireEvent    `json:"events,omitempty"`
	DroppedEvents     uint32         `json:"droppedEventsCount,omitempty"`
	Links             []wireLink     `json:"links,omitempty"`
	DroppedLinks      uint32         `json:"droppedLinksCount,omitempty"`
	Status            *wireStatus    `json:"status,omitempty"`
}

type wireEvent struct {
	Time              string         `json:"timeUnixNano,omitempty"`
	Name              string         `json:"name"`
	Attributes        []wireKeyValue `json:"attributes,omitempty"`
	DroppedAttributes uint32         `json:"droppedAttributesCount,omitempty"`
}

type wireLink struct {
	TraceID           string         `json:"traceId"`
	SpanID            string         `json:"spanId"`
	TraceState        string         `json:"traceState,omitempty"`
	Attributes        []wireKeyValue `json:"attributes,omitempty"`
	DroppedAttributes uint32         `json:"droppedAttributesCount,omitempty"`
	Flags             uint32         `json:"flags,omitempty"`
}

type wireStatus struct {
	Message string `json:"message,omitempty"`
	Code    int    `json:"code,omitempty"`
}

type wireKeyValue struct {
	Key   string    `json:"key"`
	Value wireValue `json:"value"`
}

// wireValue has one of its fields, or none for a null.
type wireValue struct {
	String *string           `json:"stringValue,omitempty"`
	Bool   *bool             `json:"boolValue,omitempty"`
	Int    string            `json:"intValue,omitempty"`
	Double any               `json:"doubleValue,omitempty"`
	Bytes  *[]byte           `json:"bytesValue,omitempty"`
	Array  *wireArray        `json:"arrayValue,omitempty"`
	List   *wireKeyValueList `json:"kvlistValue,omitempty"`
}

type wireArray struct {
	Values []wireValue `json:"values,omitempty"`
}

type wireKeyValueList struct {
	Values []wireKeyValue `json:"values,omitempty"`
}

// resourceKey and scopeKey tell whether two spans share a resource and a scope.
type resourceKey struct {
	attributes, schemaURL string
	dropped               uint32
}

type scopeKey struct {
	resource                             resourceKey
	name, version, attributes, schemaURL string
	dropped                              uint32
}

// newWireTraces puts the spans of a resource, and within it of a scope, together.
func newWireTraces(spans []Span) wireTraces {
	var (
		out       = wireTraces{ResourceSpans: []*wireResourceSpans{}}
		texts     = make(attributeTexts)
		resources = make(map[resourceKey]*wireResourceSpans)
		scopes    = make(map[scopeKey]*wireScopeSpans)
	)

	for i := range spans {
		s := &spans[i]
		r, sc := &s.Resource, &s.Scope
		inResource := resourceKey{texts.of(r.Attributes), r.SchemaURL, r.DroppedAttributes}
		inScope := scopeKey{inResource, sc.Name, sc.Version, texts.of(sc.Attributes), sc.SchemaURL, sc.DroppedAttributes}

		rs := resources[inResource]
		if rs == nil {
			rs = &wireResourceSpans{SchemaURL: r.SchemaURL, Resource: wireResource{
				Attributes: encodeAttributes(r.Attributes), DroppedAttributes: r.DroppedAttributes,
			}}
			resources[inResource] = rs
			out.ResourceSpans = append(out.ResourceSpans, rs)
		}

		ss := scopes[inScope]
		if ss == nil {
			ss = &wireScopeSpans{SchemaURL: sc.SchemaURL, Scope: wireScope{
				Name: sc.Name, Version: sc.Version,
				Attributes: encodeAttributes(sc.Attributes), DroppedAttributes: sc.DroppedAttributes,
			}}
			scopes[inScope] = ss
			rs.ScopeSpans = append(rs.ScopeSpans, ss)
		}

		ss.Spans = append(ss.Spans, encodeSpan(s))
	}

	return out
}

// attributeTexts writes attributes out, once for all spans of a request, which
// share those of their resource and scope.
type attributeTexts map[*Attribute]string

func (t attributeTexts) of(a Attributes) string {
	if len(a) == 0 {
		return ""
	}

	text, ok := t[&a[0]]
	if !ok {
		b, _ := json.Marshal(encodeAttributes(a)) //nolint:errchkjson // Nothing in it can fail.
		text = string(b)
		t[&a[0]] = text
	}

	return text
}
