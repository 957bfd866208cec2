package spans

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
)

// Attribute is one key and its value.
//
// Value holds what OTLP's AnyValue can: nil, string, bool, int64, float64,
// []byte, []any (whose elements are of these types again) or [Attributes].
type Attribute struct {
	Key   string
	Value any
}

// Attributes keeps attributes in the order in which they were received. Keys should be
// unique; if they are not, the first wins.
type Attributes []Attribute

// Get returns the value under key, and whether there is one.
func (a Attributes) Get(key string) (any, bool) {
	for i := range a {
		if a[i].Key == key {
			return a[i].Value, true
		}
	}

	return nil, false
}

// Text returns the string under key, or "" if there is none or it is of another type.
func (a Attributes) Text(key string) string {
	v, _ := a.Get(key)
	s, _ := v.(string)

	return s
}

// List returns the strings under key: an array, an array encoded as JSON, as Jaeger writes
// them, or a single string.
func (a Attributes) List(key string) []string {
	v, _ := a.Get(key)

	switch v := v.(type) {
	case []any:
		var out []string

		for i := range v {
			if s, ok := v[i].(string); ok {
				out = append(out, s)
			}
		}

		return out
	case string:
		var out []string
		if strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &out) == nil {
			return out
		}

		return []string{v}
	default:
		return nil
	}
}

// Number returns the integer or floating-point number under key, which storages of Jaeger
// may have turned into text.
func (a Attributes) Number(key string) (float64, bool) {
	v, _ := a.Get(key)
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	case string:
		f, err := strconv.ParseFloat(n, 64)

		return f, err == nil
	default:
		return 0, false
	}
}

// maxValueText bounds the output of FormatValue, in bytes. It is more than a person reads
// at a glance.
const maxValueText = 1024

// FormatValue renders an attribute's value as text: strings as they are, arrays
// and maps in brackets, bytes in base64. Text beyond about a kilobyte is cut
// and ends in "…". The result is not made safe for a terminal or for HTML.
func FormatValue(v any) string { return FormatValueTo(v, maxValueText) }

// FormatValueTo is [FormatValue] with the text cut after limit bytes.
func FormatValueTo(v any, limit int) string {
	var b strings.Builder
	appendValue(&b, v, limit)

	if b.Len() <= limit {
		return b.String()
	}

	return strings.ToValidUTF8(b.String()[:limit], "") + "…"
}

func appendValue(b *strings.Builder, v any, limit int) {
	if b.Len() > limit {
		return
	}

	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case string:
		b.WriteString(v[:min(len(v), limit+1)])
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	case []byte:
		b.WriteString(base64.StdEncoding.EncodeToString(v[:min(len(v), limit)]))
	case []any:
		b.WriteByte('[')

		for i := 0; i < len(v) && b.Len() <= limit; i++ {
			if i > 0 {
				b.WriteString(", ")
			}

			appendValue(b, v[i], limit)
		}

		b.WriteByte(']')
	case Attributes:
		b.WriteByte('{')

		for i := 0; i < len(v) && b.Len() <= limit; i++ {
			if i > 0 {
				b.WriteString(", ")
			}

			b.WriteString(v[i].Key[:min(len(v[i].Key), limit)])
			b.WriteString(": ")
			appendValue(b, v[i].Value, limit)
		}

		b.WriteByte('}')
	default:
		b.WriteString("?")
	}
}
