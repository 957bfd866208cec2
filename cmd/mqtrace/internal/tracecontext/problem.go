package tracecontext

import (
	"strings"
)

const traceparent = "traceparent"

// traceparents returns the values under the header's name in any letter case or, if there
// is none, under the name of RabbitMQ 4's annotation.
func traceparents(headers map[string]any) []any {
	for _, name := range []string{traceparent, "x-opt-" + traceparent} {
		var values []any
		for k, v := range headers {
			if strings.EqualFold(k, name) {
				values = append(values, v)
			}
		}
		if len(values) > 0 {
			return values
		}
	}
	return nil
}

// problem describes what is wrong with one or more traceparent values.
// https://www.w3.org/TR/trace-context-2/#traceparent-header
func problem(values []any) string {
	texts := make([]string, 0, len(values))
	for _, v := range values {
		switch v := v.(type) {
		case string:
			texts = append(texts, strings.Trim(v, " \t"))
		case []byte:
			texts = append(texts, strings.Trim(string(v), " \t"))
		}
	}
	if len(texts) == 0 {
		return "traceparent is not text"
	}
	for _, text := range texts[1:] {
		if text != texts[0] {
			return "different traceparents under keys that differ in letter case"
		}
	}
	return problemOf(texts[0])
}

func problemOf(text string) string {
	parts := strings.Split(text, "-")
	switch {
	case text == "":
		return "traceparent is empty"
	case len(parts) < 4:
		return "traceparent does not have the four fields version-traceid-parentid-flags"
	case !isHex(parts[0], 2):
		return "the version in traceparent is not two lower-case hexadecimal digits"
	case parts[0] == "ff":
		return "the version in traceparent is ff, which is invalid"
	case !isHex(parts[1], 32):
		return "the trace id in traceparent is not 32 lower-case hexadecimal digits"
	case strings.Trim(parts[1], "0") == "":
		return "the trace id in traceparent is all zeros"
	case !isHex(parts[2], 16):
		return "the parent id in traceparent is not 16 lower-case hexadecimal digits"
	case strings.Trim(parts[2], "0") == "":
		return "the parent id in traceparent is all zeros"
	case !isHex(parts[3], 2):
		return "the flags in traceparent are not two lower-case hexadecimal digits"
	case parts[0] == "00" && len(parts) > 4:
		return "traceparent of version 00 has more than four fields"
	default:
		return "traceparent is malformed"
	}
}

func isHex(text string, digits int) bool {
	return len(text) == digits && strings.Trim(text, "0123456789abcdef") == ""
}
