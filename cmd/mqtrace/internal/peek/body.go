package peek

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// MaxBody is how many bytes of a body are shown at most.
const MaxBody = 1024

// setBody records the size of a body and, if it is to be shown, a copy of its beginning, so
// that the whole body is not kept.
func (m *Message) setBody(body []byte, show bool) {
	m.BodyBytes = len(body)
	if !show {
		return
	}
	head := beginning(body)
	m.BodyTruncated = len(head) < len(body)
	if utf8.Valid(head) {
		m.Body = string(head)
	} else {
		m.BodyBase64 = bytes.Clone(head)
	}
}

// beginning returns at most MaxBody bytes, which do not end within a character.
func beginning(body []byte) []byte {
	if len(body) <= MaxBody {
		return body
	}
	for end := MaxBody; end > MaxBody-utf8.UTFMax; end-- {
		if utf8.RuneStart(body[end]) {
			return body[:end]
		}
	}
	return body[:MaxBody] // not UTF-8
}

// maxBodyLines is how many lines of the terminal a body may take.
const maxBodyLines = 16

// bodyText returns a body for the terminal. Bytes that are not UTF-8 are shown as U+FFFD.
func bodyText(m *Message) string {
	shown := m.Body + string(m.BodyBase64)
	if shown == "" {
		return ""
	}
	text := "body " + textfmt.Printable(shown, MaxBody)
	if m.BodyTruncated {
		text += fmt.Sprintf("… (%d of %d bytes)", len(shown), m.BodyBytes)
	}
	return text
}
