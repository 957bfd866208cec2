package probe

import (
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Status is what happened to a field.
type Status string

// The first two statuses mean that nothing was lost.
const (
	// Unchanged: the field arrived as it was sent.
	Unchanged Status = "unchanged"
	// Continued: a service on the way continued the trace, so the field has another span of
	// the trace, or all the members that were sent.
	Continued Status = "continued"
	// Changed: the value differs, or has another name.
	Changed Status = "changed"
	// TypeChanged: the value has another AMQP type, which other clients may not be able to
	// read.
	TypeChanged Status = "type changed"
	// Lost: the field is missing.
	Lost Status = "lost"
)

// Field is one field of the trace context as it arrived.
type Field struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Type is the AMQP type of what was received: S for a string, x for an array of
	// octets. It is empty for a task, whose headers are all strings.
	Type     string `json:"type,omitempty"`
	Sent     string `json:"sent"`
	Received string `json:"received,omitempty"`
	// Header is the field's current name if it differs.
	Header string `json:"header,omitempty"`
}

func (f Field) ok() bool { return f.Status == Unchanged || f.Status == Continued }

// maxReceived bounds how much of a wrong value is shown, in bytes.
const maxReceived = 512

// readFields compares what was received in the headers of an AMQP message.
func (m Mark) readFields(headers amqp.Table) []Field {
	fields := make([]Field, 0, len(fieldNames))
	for _, name := range fieldNames {
		fields = append(fields, m.readField(headers, name))
	}
	judgeContinued(fields)
	return fields
}

func (m Mark) readField(headers amqp.Table, name string) Field {
	f := Field{Name: name, Status: Lost, Sent: m.fields[name]}
	header, value, found := find(headers, name)
	if !found {
		return f
	}
	f.Type = typeOf(value)
	f.Received = text(value)
	switch {
	case header != name:
		f.Status, f.Header = Changed, header
	case f.Received != f.Sent:
		f.Status = Changed
	case f.Type != typeString:
		f.Status = TypeChanged
	default:
		f.Status = Unchanged
	}
	f.Received = f.Received[:min(len(f.Received), maxReceived)]
	return f
}

// find looks for the header as it was sent, then in another letter case or as the AMQP 1.0
// annotation that RabbitMQ 4 makes of it.
func find(headers amqp.Table, name string) (header string, value any, found bool) {
	if v, ok := headers[name]; ok {
		return name, v, true
	}
	for header, v := range headers {
		if strings.EqualFold(header, name) || strings.EqualFold(header, "x-opt-"+name) {
			return header, v, true
		}
	}
	return "", nil, false
}

func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	default:
		return fmt.Sprint(v)
	}
}

const typeString = "S"

// typeOf returns AMQP's letter for the type of a field.
// https://www.rabbitmq.com/amqp-0-9-1-errata#section_3
func typeOf(value any) string {
	switch value.(type) {
	case string:
		return typeString
	case []byte:
		return "x"
	case bool:
		return "t"
	case int8:
		return "b"
	case byte:
		return "B"
	case int16:
		return "s"
	case int32:
		return "I"
	case int64:
		return "l"
	case float32:
		return "f"
	case float64:
		return "d"
	case amqp.Decimal:
		return "D"
	case time.Time:
		return "T"
	case amqp.Table:
		return "F"
	case []any:
		return "A"
	default:
		return "V"
	}
}
