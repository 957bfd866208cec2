package otlp

// The types of OTLP's JSON encoding, written by encoding/json: protobuf's own
// mapping writes ids and enumerations differently. The names are those of
// https://github.com/open-telemetry/opentelemetry-proto.

type wireResource struct {
	Attributes        []wireKeyValue `json:"attributes,omitempty"`
	DroppedAttributes uint32         `json:"droppedAttributesCount,omitempty"`
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
