package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// clean appends a JSON value of the kind in the form that every reader accepts. ok is false
// if the value is of another kind, or out of range.
func (k kind) clean(out, raw []byte) (cleaned []byte, ok bool) {
	text := asText(raw)

	switch k {
	case isText:
		return cleanText(out, raw)
	case isBool:
		return append(out, strings.ToLower(text)...), strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
	case isInt64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			n, ok = wholeNumber(text)
			if !ok {
				return out, false
			}
		}

		return strconv.AppendInt(out, n, 10), true
	case isUint32, isFlags:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			whole, isWhole := wholeNumber(text)
			if !isWhole || whole < 0 {
				return out, false
			}

			n = uint64(whole)
		}

		return strconv.AppendUint(out, min(n, math.MaxUint32), 10), true
	case isSpanKind:
		return cleanEnum(out, text, "SPAN_KIND_", spanKinds)
	case isStatusCode:
		return cleanEnum(out, text, "STATUS_CODE_", statusCodes)
	case isTime:
		return cleanTime(out, text)
	case isDouble:
		return cleanDouble(out, text)
	case isBytes:
		b, ok := fromBase64(text)

		return append(base64.StdEncoding.AppendEncode(append(out, '"'), b), '"'), ok && raw[0] == '"'
	case isTraceID, isSpanID, isParentID:
		return cleanID(out, text, k)
	default:
		return out, false
	}
}

// cleanText accepts numbers and booleans as text, too.
func cleanText(out, raw []byte) ([]byte, bool) {
	if raw[0] == '{' || raw[0] == '[' {
		return out, false
	}

	return appendText(out, asText(raw)), true
}

// wholeNumber reads whole numbers as JavaScript and others write them: 1e3, 5.0.
func wholeNumber(text string) (int64, bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}

	return int64(f), true
}

var (
	spanKinds   = []string{"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"}
	statusCodes = []string{"UNSET", "OK", "ERROR"}
)

// cleanEnum accepts numbers and names. An unknown number is left to the reader.
func cleanEnum(out []byte, text, prefix string, names []string) ([]byte, bool) {
	if n, ok := wholeNumber(text); ok && n == int64(int32(n)) {
		return strconv.AppendInt(out, n, 10), true
	}

	text = strings.TrimPrefix(strings.ToUpper(text), prefix)
	for n, name := range names {
		if text == name {
			return strconv.AppendInt(out, int64(n), 10), true
		}
	}

	return out, false
}

// cleanTime accepts nanoseconds since 1970, including numbers with a fraction or an
// exponent.
func cleanTime(out []byte, text string) ([]byte, bool) {
	if text == "" {
		return append(out, '0'), true
	}

	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		// Beyond 64 bits, an exponent alone could produce a number of any length.
		f, _, err := big.ParseFloat(text, 10, 64, big.ToZero)
		if err != nil || f.IsInf() || f.Sign() < 0 || f.MantExp(nil) > 64 {
			return out, false
		}

		n, _ = f.Uint64()
	}

	return append(strconv.AppendUint(append(out, '"'), n, 10), '"'), true
}

// cleanDouble writes numbers as text, which preserves all of their digits.
func cleanDouble(out []byte, text string) ([]byte, bool) {
	if _, err := strconv.ParseFloat(text, 64); err != nil {
		return out, false
	}

	return appendText(out, text), true
}

// cleanID accepts hexadecimal digits, and base64, which protobuf's own JSON mapping uses
// for ids. Anything else is left out, and without a trace or span id, so is the span.
func cleanID(out []byte, text string, k kind) ([]byte, bool) {
	if text == "" {
		return append(out, `""`...), true
	}

	id, err := hex.DecodeString(text)
	if err != nil || len(id) != k.idLength() {
		id, _ = fromBase64(text)
	}

	if len(id) != k.idLength() {
		return append(out, `""`...), k != isParentID
	}

	return append(hex.AppendEncode(append(out, '"'), id), '"'), true
}

// fromBase64 reads both alphabets, with or without padding.
func fromBase64(text string) ([]byte, bool) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawStdEncoding.DecodeString(text)

	return b, err == nil
}

// appendPlain writes a plain value found in place of a typed one: "x" instead of
// {"stringValue":"x"}.
func appendPlain(out, raw []byte) []byte {
	out = append(out, '{')

	switch {
	case raw[0] == '"':
		out = appendText(append(out, `"stringValue":`...), unquote(raw))
	case bytes.Equal(raw, []byte("true")), bytes.Equal(raw, []byte("false")):
		out = append(append(out, `"boolValue":`...), raw...)
	case json.Valid(raw) && !bytes.Equal(raw, []byte("null")):
		if n, ok := isInt64.clean(append(out, `"intValue":`...), raw); ok {
			out = n
		} else if d, ok := isDouble.clean(append(out, `"doubleValue":`...), raw); ok {
			out = d
		}
	}

	return append(out, '}')
}
