package amqpbroker_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peer is an AMQP client that says what it is told to, right or wrong. It shares no
// code with the broker.
type peer struct {
	t        *testing.T
	sock     net.Conn
	in       *bufio.Reader
	frameMax int
	barriers uint16
}

// method arguments by kind: B octet, H short, I long, L longlong, s shortstr,
// S longstr, T table, b a bit that shares its octet with its neighbours. A kind
// alone is a field the specification reserves.
var methods = map[string]struct {
	id   uint32
	args string
}{
	"connection.start":     {10<<16 | 10, "B:version-major B:version-minor T:server-properties S:mechanisms S:locales"},
	"connection.start-ok":  {10<<16 | 11, "T:client-properties s:mechanism S:response s:locale"},
	"connection.tune":      {10<<16 | 30, "H:channel-max I:frame-max H:heartbeat"},
	"connection.tune-ok":   {10<<16 | 31, "H:channel-max I:frame-max H:heartbeat"},
	"connection.open":      {10<<16 | 40, "s:virtual-host s b"},
	"connection.open-ok":   {10<<16 | 41, "s"},
	"connection.close":     {10<<16 | 50, "H:reply-code s:reply-text H:class-id H:method-id"},
	"connection.close-ok":  {10<<16 | 51, ""},
	"connection.blocked":   {10<<16 | 60, "s:reason"},
	"connection.unblocked": {10<<16 | 61, ""},
	"connection.secret":    {10<<16 | 70, "S:new-secret s:reason"},
	"connection.secret-ok": {10<<16 | 71, ""},
	"channel.open":         {20<<16 | 10, "s"},
	"channel.open-ok":      {20<<16 | 11, "S"},
	"channel.flow":         {20<<16 | 20, "b:active"},
	"channel.flow-ok":      {20<<16 | 21, "b:active"},
	"channel.close":        {20<<16 | 40, "H:reply-code s:reply-text H:class-id H:method-id"},
	"channel.close-ok":     {20<<16 | 41, ""},
	"access.request":       {30<<16 | 10, "s:realm b:exclusive b:passive b:active b:write b:read"},
	"access.request-ok":    {30<<16 | 11, "H:ticket"},
	"exchange.declare":     {40<<16 | 10, "H s:exchange s:type b:passive b:durable b:auto-delete b:internal b:no-wait T:arguments"},
	"exchange.declare-ok":  {40<<16 | 11, ""},
	"exchange.delete":      {40<<16 | 20, "H s:exchange b:if-unused b:no-wait"},
	"exchange.delete-ok":   {40<<16 | 21, ""},
	"exchange.bind":        {40<<16 | 30, "H s:destination s:source s:routing-key b:no-wait T:arguments"},
	"exchange.bind-ok":     {40<<16 | 31, ""},
	"exchange.unbind":      {40<<16 | 40, "H s:destination s:source s:routing-key b:no-wait T:arguments"},
	"exchange.unbind-ok":   {40<<16 | 51, ""},
	"queue.declare":        {50<<16 | 10, "H s:queue b:passive b:durable b:exclusive b:auto-delete b:no-wait T:arguments"},
	"queue.declare-ok":     {50<<16 | 11, "s:queue I:message-count I:consumer-count"},
	"queue.bind":           {50<<16 | 20, "H s:queue s:exchange s:routing-key b:no-wait T:arguments"},
	"queue.bind-ok":        {50<<16 | 21, ""},
	"queue.purge":          {50<<16 | 30, "H s:queue b:no-wait"},
	"queue.purge-ok":       {50<<16 | 31, "I:message-count"},
	"queue.delete":         {50<<16 | 40, "H s:queue b:if-unused b:if-empty b:no-wait"},
	"queue.delete-ok":      {50<<16 | 41, "I:message-count"},
	"queue.unbind":         {50<<16 | 50, "H s:queue s:exchange s:routing-key T:arguments"},
	"queue.unbind-ok":      {50<<16 | 51, ""},
	"basic.qos":            {60<<16 | 10, "I:prefetch-size H:prefetch-count b:global"},
	"basic.qos-ok":         {60<<16 | 11, ""},
	"basic.consume":        {60<<16 | 20, "H s:queue s:consumer-tag b:no-local b:no-ack b:exclusive b:no-wait T:arguments"},
	"basic.consume-ok":     {60<<16 | 21, "s:consumer-tag"},
	"basic.cancel":         {60<<16 | 30, "s:consumer-tag b:no-wait"},
	"basic.cancel-ok":      {60<<16 | 31, "s:consumer-tag"},
	"basic.publish":        {60<<16 | 40, "H s:exchange s:routing-key b:mandatory b:immediate"},
	"basic.return":         {60<<16 | 50, "H:reply-code s:reply-text s:exchange s:routing-key"},
	"basic.deliver":        {60<<16 | 60, "s:consumer-tag L:delivery-tag b:redelivered s:exchange s:routing-key"},
	"basic.get":            {60<<16 | 70, "H s:queue b:no-ack"},
	"basic.get-ok":         {60<<16 | 71, "L:delivery-tag b:redelivered s:exchange s:routing-key I:message-count"},
	"basic.get-empty":      {60<<16 | 72, "s"},
	"basic.ack":            {60<<16 | 80, "L:delivery-tag b:multiple"},
	"basic.reject":         {60<<16 | 90, "L:delivery-tag b:requeue"},
	"basic.recover-async":  {60<<16 | 100, "b:requeue"},
	"basic.recover":        {60<<16 | 110, "b:requeue"},
	"basic.recover-ok":     {60<<16 | 111, ""},
	"basic.nack":           {60<<16 | 120, "L:delivery-tag b:multiple b:requeue"},
	"confirm.select":       {85<<16 | 10, "b:no-wait"},
	"confirm.select-ok":    {85<<16 | 11, ""},
	"tx.select":            {90<<16 | 10, ""},
	"tx.select-ok":         {90<<16 | 11, ""},
	"tx.commit":            {90<<16 | 20, ""},
	"tx.commit-ok":         {90<<16 | 21, ""},
	"tx.rollback":          {90<<16 | 30, ""},
	"tx.rollback-ok":       {90<<16 | 31, ""},
}

// The properties of class basic, highest flag first.
const properties = "s:content-type s:content-encoding T:headers B:delivery-mode B:priority s:correlation-id " +
	"s:reply-to s:expiration s:message-id L:timestamp s:type s:user-id s:app-id s:cluster-id"

func methodName(id uint32) string {
	for name, m := range methods {
		if m.id == id {
			return name
		}
	}
	return fmt.Sprintf("%d.%d", id>>16, id&0xffff)
}

// openPeer connects, and unless told to stay bare opens the connection.
func openPeer(t *testing.T, server *url.URL, args map[string]string) *peer {
	t.Helper()
	sock, err := net.Dial("tcp", server.Host)
	if err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}
	p := &peer{t: t, sock: sock, in: bufio.NewReader(sock), frameMax: 131072}
	arg := func(name, otherwise string) string {
		if v, ok := args[name]; ok {
			return v
		}
		return otherwise
	}
	if _, bare := args["bare"]; bare {
		return p
	}
	p.write([]byte("AMQP\x00\x00\x09\x01"))
	p.next(patience)
	password, _ := server.User.Password()
	caps := "{capabilities:F:{authentication_failure_close:t:1,consumer_cancel_notify:t:1,connection.blocked:t:1}}"
	p.method(0, "connection.start-ok", map[string]string{
		"mechanism":         arg("mechanism", "PLAIN"),
		"response":          "\x00" + arg("user", server.User.Username()) + "\x00" + arg("password", password),
		"client-properties": arg("client-properties", caps), "locale": "en_US",
	})
	if _, stop := args["no-tune"]; stop {
		return p
	}
	p.next(patience)
	p.frameMax, _ = strconv.Atoi(arg("frame-max", "131072"))
	p.method(0, "connection.tune-ok", map[string]string{
		"channel-max": arg("channel-max", "2047"), "frame-max": arg("frame-max", "131072"), "heartbeat": arg("heartbeat", "0"),
	})
	if _, stop := args["no-open"]; stop {
		return p
	}
	p.method(0, "connection.open", map[string]string{"virtual-host": arg("vhost", "/")})
	if _, odd := args["vhost"]; !odd && args["frame-max"] == "" && args["channel-max"] == "" {
		p.next(patience)
	}
	return p
}

func (p *peer) write(b []byte) {
	_, _ = p.sock.Write(b) // a server that has closed already is seen when reading
}

func appendFrame(b []byte, kind byte, channel uint16, payload []byte) []byte {
	b = binary.BigEndian.AppendUint16(append(b, kind), channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), 0xCE)
}

func (p *peer) frame(kind byte, channel uint16, payload []byte) {
	p.write(appendFrame(nil, kind, channel, payload))
}

func (p *peer) header(channel uint16, words []string) {
	var n [3]uint64
	for i := range n {
		n[i], _ = strconv.ParseUint(words[i], 10, 64)
	}
	b := binary.BigEndian.AppendUint16(nil, uint16(n[0]))
	b = binary.BigEndian.AppendUint16(b, uint16(n[1]))
	b = binary.BigEndian.AppendUint64(b, n[2])
	p.frame(2, channel, append(b, unhex(words[3])...))
}

// method sends a method, and with basic.publish its content unless told not to
// (no-content).
func (p *peer) method(channel uint16, name string, args map[string]string) {
	m, ok := methods[name]
	if !ok {
		p.t.Fatalf("no method %q", name)
	}
	b := appendFrame(nil, 1, channel, appendArgs(binary.BigEndian.AppendUint32(nil, m.id), m.args, args))
	if _, bare := args["no-content"]; name == "basic.publish" && !bare {
		body := []byte(args["body"])
		if size, ok := args["size"]; ok {
			n, _ := strconv.Atoi(size)
			body = bytes.Repeat([]byte("x"), n)
		}
		h := binary.BigEndian.AppendUint64([]byte{0, 60, 0, 0}, uint64(len(body)))
		var flags uint16
		var values []byte
		for i, spec := range strings.Fields(properties) {
			if v, ok := args[spec[2:]]; ok {
				flags |= 1 << (15 - i)
				values = appendValue(values, spec[0], v)
			}
		}
		h = binary.BigEndian.AppendUint16(h, flags)
		b = appendFrame(b, 2, channel, append(h, values...))
		for len(body) > 0 {
			n := min(len(body), p.frameMax-8)
			b = appendFrame(b, 3, channel, body[:n])
			body = body[n:]
		}
	}
	p.write(b)
}

func appendArgs(b []byte, spec string, args map[string]string) []byte {
	bits := 0
	for f := range strings.FieldsSeq(spec) {
		kind, name := f[0], strings.TrimPrefix(f[1:], ":")
		v, given := args[name]
		if kind == 'b' {
			if bits == 0 {
				b = append(b, 0)
			}
			if given && v != "0" {
				b[len(b)-1] |= 1 << bits
			}
			bits++
			continue
		}
		bits = 0
		b = appendValue(b, kind, v)
	}
	return b
}

func appendValue(b []byte, kind byte, v string) []byte {
	n, _ := strconv.ParseUint(v, 10, 64)
	switch kind {
	case 'B':
		return append(b, byte(n))
	case 'H':
		return binary.BigEndian.AppendUint16(b, uint16(n))
	case 'I':
		return binary.BigEndian.AppendUint32(b, uint32(n))
	case 'L':
		return binary.BigEndian.AppendUint64(b, n)
	case 's':
		return append(append(b, byte(len(v))), v...)
	case 'S':
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	body := []byte{}
	if v != "" {
		body = appendTable(nil, strings.TrimSuffix(strings.TrimPrefix(v, "{"), "}"), true)
	}
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

// appendTable encodes name:TYPE:value pairs, or TYPE:value items without names.
func appendTable(b []byte, items string, named bool) []byte {
	depth, from := 0, 0
	for i, r := range items + "," {
		switch {
		case r == '{' || r == '[':
			depth++
		case r == '}' || r == ']':
			depth--
		case r == ',' && depth == 0 && i > from:
			item := items[from:i]
			if named {
				name, rest, _ := strings.Cut(item, ":")
				b, item = append(append(b, byte(len(name))), name...), rest
			}
			b = appendField(b, item[0], item[2:])
			from = i + 1
		}
	}
	return b
}

func appendField(b []byte, kind byte, v string) []byte {
	b = append(b, kind)
	n, _ := strconv.ParseInt(v, 10, 64)
	f, _ := strconv.ParseFloat(v, 64)
	switch kind {
	case 'V':
		return b
	case 't', 'b', 'B':
		return append(b, byte(n))
	case 's', 'u':
		return binary.BigEndian.AppendUint16(b, uint16(n))
	case 'I', 'i':
		return binary.BigEndian.AppendUint32(b, uint32(n))
	case 'l', 'T':
		return binary.BigEndian.AppendUint64(b, uint64(n))
	case 'f':
		return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(f)))
	case 'd':
		return binary.BigEndian.AppendUint64(b, math.Float64bits(f))
	case 'D':
		scale, value, _ := strings.Cut(v, "/")
		s, _ := strconv.Atoi(scale)
		n, _ := strconv.Atoi(value)
		return binary.BigEndian.AppendUint32(append(b, byte(s)), uint32(n))
	case 'S':
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	case 'x':
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v)/2)), unhex(v)...)
	}
	body := appendTable(nil, v[1:len(v)-1], kind == 'F')
	return append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
}

// next reads one method, with its content, and tells what it says; false where
// nothing comes in time. Heartbeats are passed over.
func (p *peer) next(wait time.Duration) (string, bool) {
	if p.in == nil {
		return "", false
	}
	_ = p.sock.SetReadDeadline(time.Now().Add(wait))
	if b, err := p.in.Peek(4); err == nil && string(b) == "AMQP" {
		head := make([]byte, 8)
		_, _ = io.ReadFull(p.in, head)
		return "raw " + hex.EncodeToString(head), true
	}
	channel, kind, payload, err := p.readFrame()
	if err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			return "", false
		}
		p.in = nil // said once
		return "closed", true
	}
	if kind == 8 {
		return p.next(wait)
	}
	if kind != 1 {
		return fmt.Sprintf("frame %d %x", kind, payload), true
	}
	name := methodName(binary.BigEndian.Uint32(payload))
	r := &reading{b: payload[4:]}
	line := name + r.args(methods[name].args)
	if channel > 1 {
		line = fmt.Sprintf("/%d %s", channel, line)
	}
	if name == "basic.deliver" || name == "basic.get-ok" || name == "basic.return" {
		line += p.content()
	}
	return line, true
}

func (p *peer) readFrame() (channel uint16, kind byte, payload []byte, err error) {
	var head [7]byte
	if _, err = io.ReadFull(p.in, head[:]); err != nil {
		return
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[3:])+1)
	if _, err = io.ReadFull(p.in, payload); err != nil {
		return
	}
	if payload[len(payload)-1] != 0xCE {
		return 0, 0, nil, fmt.Errorf("frame end %x", payload[len(payload)-1])
	}
	return binary.BigEndian.Uint16(head[1:]), head[0], payload[:len(payload)-1], nil
}

func (p *peer) content() string {
	_, kind, payload, err := p.readFrame()
	if err != nil || kind != 2 {
		return fmt.Sprintf(" no header: %d %v", kind, err)
	}
	r := &reading{b: payload[4:]}
	size := int(r.number(8))
	flags := uint16(r.number(2))
	line := ""
	for i, spec := range strings.Fields(properties) {
		if flags&(1<<(15-i)) != 0 {
			line += " " + spec[2:] + "=" + r.value(spec[0])
		}
	}
	var body []byte
	frames := 0
	for ; len(body) < size; frames++ {
		_, kind, payload, err := p.readFrame()
		if err != nil || kind != 3 {
			return line + fmt.Sprintf(" no body: %d %v", kind, err)
		}
		body = append(body, payload...)
	}
	if size > 100 {
		return line + fmt.Sprintf(" size=%d frames=%d", size, frames)
	}
	return line + " body=" + string(body)
}

// reading decodes what a server has sent.
type reading struct{ b []byte }

func (r *reading) take(n int) []byte {
	if n > len(r.b) {
		n = len(r.b)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reading) number(size int) (n uint64) {
	for _, o := range r.take(size) {
		n = n<<8 | uint64(o)
	}
	return n
}

// args lists what is not zero.
func (r *reading) args(spec string) string {
	line, bits, octet := "", 0, byte(0)
	for f := range strings.FieldsSeq(spec) {
		kind, name := f[0], strings.TrimPrefix(f[1:], ":")
		if kind == 'b' {
			if bits == 0 {
				octet = byte(r.number(1))
			}
			if octet&(1<<bits) != 0 {
				line += " " + name
			}
			bits++
			continue
		}
		bits = 0
		v := r.value(kind)
		if name != "" && v != "0" && v != "" {
			line += " " + name + "=" + v
		}
	}
	return line
}

func (r *reading) value(kind byte) string {
	switch kind {
	case 'B':
		return fmt.Sprint(r.number(1))
	case 'H':
		return fmt.Sprint(r.number(2))
	case 'I':
		return fmt.Sprint(r.number(4))
	case 'L':
		return fmt.Sprint(r.number(8))
	case 's':
		return string(r.take(int(r.number(1))))
	case 'S':
		return string(r.take(int(r.number(4))))
	}
	return r.table(true)
}

func (r *reading) table(named bool) string {
	inner := &reading{b: r.take(int(r.number(4)))}
	var items []string
	for len(inner.b) > 0 {
		name := ""
		if named {
			name = inner.value('s') + ":"
		}
		item := name + inner.field()
		if strings.HasPrefix(item, "time:T:") {
			item = "time:T:now"
		}
		items = append(items, item)
	}
	if named {
		return "{" + strings.Join(items, ",") + "}"
	}
	return "[" + strings.Join(items, ",") + "]"
}

func (r *reading) field() string {
	kind := byte(r.number(1))
	v := ""
	switch kind {
	case 't', 'B':
		v = r.value('B')
	case 'b':
		v = fmt.Sprint(int8(r.number(1)))
	case 's':
		v = fmt.Sprint(int16(r.number(2)))
	case 'u':
		v = r.value('H')
	case 'I':
		v = fmt.Sprint(int32(r.number(4)))
	case 'i':
		v = r.value('I')
	case 'l', 'T':
		v = fmt.Sprint(int64(r.number(8)))
	case 'f':
		v = fmt.Sprint(math.Float32frombits(uint32(r.number(4))))
	case 'd':
		v = fmt.Sprint(math.Float64frombits(r.number(8)))
	case 'D':
		v = fmt.Sprintf("%d/%d", r.number(1), int32(r.number(4)))
	case 'S':
		v = r.value('S')
	case 'x':
		v = hex.EncodeToString(r.take(int(r.number(4))))
	case 'F':
		v = r.table(true)
	case 'A':
		v = r.table(false)
	}
	return string(kind) + ":" + v
}
