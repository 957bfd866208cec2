package traceview

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
)

// prepareJSON rewrites OTLP/JSON into protobuf's own JSON mapping, which differs
// in one point: ids are hexadecimal in the former and base64 in the latter.
// It also counts parts and depth, as checkProtobuf does for the other encoding.
//
// It only knows where strings begin and end. Whether what it copies is JSON at
// all is for the decoder to find out.
func prepareJSON(data []byte) ([]byte, error) {
	const maxBrackets = 2 * maxDepth // a message in a list has two

	out := make([]byte, 0, len(data)+len(data)/16)
	depth, parts, isID := 0, 0, false

	for i := 0; i < len(data); i++ {
		c := data[i]

		switch c {
		case '"':
			end := stringEnd(data, i)
			text := data[i:end]
			i = end - 1

			if isID && len(text) > 1 {
				out = appendID(out, text)
				isID = false

				continue
			}

			isID = isIDKey(text) && isKey(data, end)
			out = append(out, text...)

			continue
		case '{', '[':
			depth++
			parts++
		case '}', ']':
			depth--
		case ',':
			parts++
		case ':', ' ', '\t', '\r', '\n':
			out = append(out, c)

			continue
		}

		isID = false

		if depth > maxBrackets {
			return nil, errTooDeep
		}

		if parts > maxJSONParts {
			return nil, ErrTooLarge
		}

		out = append(out, c)
	}

	return out, nil
}

// maxJSONParts is more than maxParts because commas count here: an attribute is
// two parts in the other encoding and four in this one.
const maxJSONParts = 2 * maxParts

// stringEnd returns the index after the closing quote of the string that starts
// at i, or the length of the data where there is none.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}

	return len(data)
}

func isKey(data []byte, i int) bool {
	for ; i < len(data); i++ {
		switch data[i] {
		case ' ', '\t', '\r', '\n':
		case ':':
			return true
		default:
			return false
		}
	}

	return false
}

func isIDKey(quoted []byte) bool {
	switch unquote(quoted) {
	case "traceId", "spanId", "parentSpanId":
		return true
	default:
		return false
	}
}

// unquote returns the text of a JSON string, or "" where it is none or where it
// is far longer than any id or key of interest.
func unquote(quoted []byte) string {
	const longest = 1024

	if len(quoted) < 2 || len(quoted) > longest {
		return ""
	}

	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}

	var text string
	if json.Unmarshal(quoted, &text) != nil {
		return ""
	}

	return text
}

// appendID writes an id for the protobuf decoder. One that is no id becomes a
// single byte, whose length is wrong: then the span it belongs to is refused,
// and not the whole request.
func appendID(out, quoted []byte) []byte {
	id := []byte{0}

	if string(quoted) == `""` {
		id = nil
	} else if decoded, err := hex.DecodeString(unquote(quoted)); err == nil && len(decoded) > 0 {
		id = decoded
	}

	out = append(out, '"')
	out = base64.StdEncoding.AppendEncode(out, id)

	return append(out, '"')
}
