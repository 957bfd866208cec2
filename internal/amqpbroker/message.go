package amqpbroker

import (
	"fmt"
	"maps"
	"math/big"
	"strings"
)

// Property flags of class basic, highest first on the wire.
const (
	flagContentType = 1 << (15 - iota)
	flagContentEncoding
	flagHeaders
	flagDeliveryMode
	flagPriority
	flagCorrelationID
	flagReplyTo
	flagExpiration
	flagMessageID
	flagTimestamp
	flagType
	flagUserID
	flagAppID
	flagClusterID
)

// properties are the content properties of class basic. text holds the string properties by
// flag; a property that was not sent has its flag unset.
type properties struct {
	flags        uint16
	headers      table
	deliveryMode uint8
	priority     uint8
	timestamp    uint64
	text         map[uint16]string
}

var propertyOrder = []uint16{
	flagContentType, flagContentEncoding, flagHeaders, flagDeliveryMode, flagPriority,
	flagCorrelationID, flagReplyTo, flagExpiration, flagMessageID, flagTimestamp,
	flagType, flagUserID, flagAppID, flagClusterID,
}

func parseProperties(b []byte) (properties, bool) {
	d := decoder{b: b}
	p := properties{flags: d.u16()}
	if p.flags&1 != 0 { // class basic has no second word of flags
		return p, false
	}
	for _, flag := range propertyOrder {
		if p.flags&flag == 0 {
			continue
		}
		switch flag {
		case flagHeaders:
			p.headers = d.table()
		case flagDeliveryMode:
			p.deliveryMode = d.u8()
		case flagPriority:
			p.priority = d.u8()
		case flagTimestamp:
			p.timestamp = d.u64()
		default:
			if p.text == nil {
				p.text = make(map[uint16]string, 4)
			}
			p.text[flag] = d.shortstr()
		}
	}
	return p, d.done()
}

// encode writes properties as RabbitMQ does.
func (p properties) encode() []byte {
	e := encoder{}.u16(p.flags)
	for _, flag := range propertyOrder {
		if p.flags&flag == 0 {
			continue
		}
		switch flag {
		case flagHeaders:
			e = e.table(p.headers.canonical())
		case flagDeliveryMode:
			e = e.u8(p.deliveryMode)
		case flagPriority:
			e = e.u8(p.priority)
		case flagTimestamp:
			e = e.u64(p.timestamp)
		default:
			e = e.shortstr(p.text[flag])
		}
	}
	return e
}

// message is a published message. It is never changed once routed, because several queues
// may hold it.
type message struct {
	exchange string
	key      string   // the routing key of basic.publish
	keys     []string // key, then the CC and BCC headers' keys
	bcc      []string // keys that no consumer sees
	props    properties
	raw      []byte // props in wire form
	body     []byte
	deaths   []death // the latest first, nil if never dead-lettered
	failures int64   // failed deliveries before it was dead-lettered
}

// withProps returns a copy of m with the given properties.
func (m *message) withProps(p properties) *message {
	c := *m
	c.props, c.raw = p, p.encode()
	return &c
}

// withText returns a copy of m with one string property replaced.
func (m *message) withText(flag uint16, s string) *message {
	p := m.props
	p.text = maps.Clone(p.text)
	p.text[flag] = s
	return m.withProps(p)
}

// withHeaders returns a copy of m with the given headers.
func (m *message) withHeaders(h table) *message {
	p := m.props
	p.flags |= flagHeaders
	p.headers = h
	return m.withProps(p)
}

// copyKeys returns the routing keys in a CC or BCC header
// (https://www.rabbitmq.com/docs/sender-selected).
func copyKeys(h table, name string) ([]string, error) {
	f, ok := h.find(name)
	if !ok {
		return nil, nil
	}
	items, ok := f.array()
	if !ok {
		return nil, fail(preconditionFailed, "invalid message: {unacceptable_type_in_header,\"%s\",%s}", name, typeName(f.kind))
	}
	var keys []string
	for _, item := range items {
		if key, ok := item.text(); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// expiration returns the per-message TTL in milliseconds, -1 if there is none.
func (p properties) expiration() (int64, error) {
	if p.flags&flagExpiration == 0 {
		return -1, nil
	}
	s := p.text[flagExpiration]
	rest := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(s, "+"), "-"), "0123456789")
	number := strings.TrimSuffix(s, rest)
	n, ok := new(big.Int).SetString(number, 10)
	var problem string
	switch {
	case !ok:
		problem = "no_integer"
	case rest != "":
		problem = fmt.Sprintf("{leftover_string,%q}", rest)
	case n.Sign() < 0:
		problem = fmt.Sprintf("{value_negative,%s}", n)
	case n.Cmp(big.NewInt(maxTimer)) > 0:
		problem = fmt.Sprintf("{value_too_large,%s}", n)
	default:
		return n.Int64(), nil
	}
	return 0, fail(preconditionFailed, "invalid expiration '%s': %s", s, problem)
}
