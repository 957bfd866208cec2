package amqpbroker_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// peer is an AMQP client that sends whatever a test asks for, valid or not. It shares no
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

// openPeer connects and, unless it is to stay bare, opens the connection.
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
	_, _ = p.sock.Write(b) // a server that has closed already is noticed when reading
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

// method sends a method and, for basic.publish, its content unless disabled (no-content).
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

// next reads one method, with its content, and returns it as text, or false if nothing
// arrives in time. Heartbeats are skipped.
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
		p.in = nil // reported only once
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
