package otlp

import (
	"encoding/json"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// resourceGroup and scopeGroup are spans that share a resource, and within it a scope.
type resourceGroup struct {
	resource *spans.Resource
	scopes   []*scopeGroup
}

type scopeGroup struct {
	scope *spans.Scope
	spans []*spans.Span
}

// resourceKey and scopeKey are equal for spans that share a resource and a scope.
type resourceKey struct {
	attributes, schemaURL string
	dropped               uint32
}

type scopeKey struct {
	resource                             resourceKey
	name, version, attributes, schemaURL string
	dropped                              uint32
}

// groupByResource groups spans by resource and, within a resource, by scope.
func groupByResource(all []spans.Span) []*resourceGroup {
	var (
		out       []*resourceGroup
		texts     = make(attributeTexts)
		resources = make(map[resourceKey]*resourceGroup)
		scopes    = make(map[scopeKey]*scopeGroup)
	)

	for i := range all {
		s := &all[i]
		r, sc := &s.Resource, &s.Scope
		inResource := resourceKey{texts.of(r.Attributes), r.SchemaURL, r.DroppedAttributes}
		inScope := scopeKey{inResource, sc.Name, sc.Version, texts.of(sc.Attributes), sc.SchemaURL, sc.DroppedAttributes}

		rs := resources[inResource]
		if rs == nil {
			rs = &resourceGroup{resource: r}
			resources[inResource] = rs
			out = append(out, rs)
		}

		ss := scopes[inScope]
		if ss == nil {
			ss = &scopeGroup{scope: sc}
			scopes[inScope] = ss
			rs.scopes = append(rs.scopes, ss)
		}

		ss.spans = append(ss.spans, s)
	}

	return out
}

// attributeTexts caches attributes as text: all spans of a request share the attributes of
// their resource and scope.
type attributeTexts map[*spans.Attribute]string

func (t attributeTexts) of(a spans.Attributes) string {
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
