package amqpbroker

import (
	"bytes"
	"errors"
	"io"
	"time"
)

const frameMinSize = 8192 // RabbitMQ's since 4.1; the protocol's is 4096

var (
	protocolHeader = []byte("AMQP\x00\x00\x09\x01")
	// What RabbitMQ prefers to speak: AMQP 1.0 after SASL. This broker does not support it.
	saslHeader = []byte("AMQP\x03\x01\x00\x00")
)

var (
	errBadProtocol = errors.New("amqpbroker: peer does not speak AMQP 0-9-1")
	errRefused     = errors.New("amqpbroker: peer was refused")
)

// shakeHands brings a new connection to the running state (AMQP 0-9-1 section 2.2.4, "The
// Connection Class").
func (c *connection) shakeHands() error {
	c.deadline(c.sock.SetDeadline, c.broker.cfg.handshakeTimeout)
	var header [8]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return err
	}
	if !bytes.Equal(header[:], protocolHeader) {
		offer := saslHeader
		if bytes.Equal(header[:], saslHeader) {
			offer = protocolHeader
		}
		c.out.add(func(b []byte) []byte { return append(b, offer...) })
		return errBadProtocol
	}
	c.send(0, connectionStart, encoder{}.u8(0).u8(9).table(serverProperties()).longstr("PLAIN AMQPLAIN").longstr("en_US"))
	for c.state < stateRunning {
		id, d, err := c.readHandshakeMethod()
		if err != nil {
			return err
		}
		switch {
		case c.state == stateStarting && id == connectionStartOk:
			err = c.startOk(d)
		case c.state == stateTuning && id == connectionTuneOk:
			err = c.tuneOk(d)
		case c.state == stateOpening && id == connectionOpen:
			err = c.open(d)
		case c.state == stateOpening && id == connectionClose:
			err = c.handleMethod0(id, d)
		default:
			return errRefused
		}
		if err != nil {
			return c.refuse(blame(err, id))
		}
	}
	c.deadline(c.sock.SetDeadline, 0)
	return nil
}

func (c *connection) readHandshakeMethod() (methodID, *decoder, error) {
	for {
		var head [frameHeaderSize]byte
		if _, err := io.ReadFull(c.in, head[:]); err != nil {
			return 0, nil, err
		}
		d := &decoder{b: head[:]}
		kind, id, size := d.u8(), d.u16(), d.u32()
		if size > c.broker.cfg.frameMax {
			return 0, nil, errRefused
		}
		payload, err := readPayload(c.in, int(size)+1)
		if err != nil {
			return 0, nil, err
		}
		c.showFrame(true, kind, id, payload[:size])
		if kind == frameHeartbeat && id == 0 {
			continue
		}
		d = &decoder{b: payload[:size]}
		m := methodID(d.u32())
		d.arguments()
		if kind != frameMethod || id != 0 || d.bad || payload[size] != frameEnd {
			return 0, nil, errRefused
		}
		return m, d, nil
	}
}

// refuse sends a handshake exception and waits for the peer to see it.
func (c *connection) refuse(err error) error {
	var e *exception
	if !errors.As(err, &e) {
		return err
	}
	c.sendClose(e)
	c.state = stateClosing
	c.deadline(c.sock.SetDeadline, c.broker.cfg.closeGrace)
	return nil
}

func serverProperties() table {
	capabilities := table{
		boolField("publisher_confirms", true),
		boolField("exchange_exchange_bindings", true),
		boolField("basic.nack", true),
		boolField("consumer_cancel_notify", true),
		boolField("connection.blocked", true),
		boolField("consumer_priorities", true),
		boolField("authentication_failure_close", true),
		boolField("per_consumer_qos", true),
		boolField("direct_reply_to", true),
	}
	return table{
		tableField("capabilities", capabilities),
		stringField("cluster_name", "mqtrace@localhost"),
		stringField("product", "mqtrace amqpbroker"),
		stringField("platform", "Go"),
		stringField("information", "In-process broker for demos and tests"),
	}
}

func (c *connection) startOk(d *decoder) error {
	client := d.table()
	mechanism := d.shortstr()
	response := d.longstr()
	d.shortstr() // locale
	if !d.done() {
		return errRefused
	}
	if f, ok := client.find("capabilities"); ok {
		c.capabilities, _ = f.tableValue()
	}
	user, password, ok := credentials(mechanism, response)
	if !ok {
		return errRefused
	}
	if user != c.broker.cfg.user || password != c.broker.cfg.password {
		if !c.can("authentication_failure_close") {
			return errRefused
		}
		return failBlameless(accessRefused, "Login was refused using authentication mechanism %s. For details see the broker logfile.", mechanism)
	}
	if f, ok := client.find("connection_name"); ok {
		name, _ := f.text()
		c.broker.mu.Lock()
		c.clientName = name
		c.broker.mu.Unlock()
	}
	cfg := c.broker.cfg
	c.send(0, connectionTune, encoder{}.u16(cfg.channelMax).u32(cfg.frameMax).u16(uint16(cfg.heartbeat/time.Second)))
	c.state = stateTuning
	return nil
}

// credentials reads the response of the PLAIN (RFC 4616) and AMQPLAIN mechanisms.
func credentials(mechanism string, response []byte) (user, password string, ok bool) {
	switch mechanism {
	case "PLAIN":
		parts := bytes.Split(response, []byte{0})
		if len(parts) != 3 {
			return "", "", false
		}
		return string(parts[1]), string(parts[2]), true
	case "AMQPLAIN":
		t, ok := parseTable(response)
		if !ok {
			return "", "", false
		}
		login, _ := t.find("LOGIN")
		pass, _ := t.find("PASSWORD")
		user, _ = login.text()
		password, _ = pass.text()
		return user, password, true
	}
	return "", "", false
}

// can reports whether the client has announced a capability.
func (c *connection) can(capability string) bool {
	f, ok := c.capabilities.find(capability)
	return ok && f.kind == 't' && f.value[0] != 0
}

func (c *connection) tuneOk(d *decoder) error {
	channelMax, frameMax, heartbeat := d.u16(), d.u32(), d.u16()
	if !d.done() {
		return errRefused
	}
	cfg := c.broker.cfg
	// 0 means no limit, which is more than was offered.
	if frameMax < frameMinSize || frameMax > cfg.frameMax || channelMax == 0 || channelMax > cfg.channelMax {
		return errRefused
	}
	c.frameMax, c.channelMax = frameMax, channelMax
	if every := time.Duration(heartbeat) * time.Second; every > 0 {
		// RabbitMQ sends heartbeats twice as often as agreed, and gives up on a peer after
		// two intervals without a frame: https://www.rabbitmq.com/docs/heartbeats
		c.heartbeats <- every / 2
		c.silence = 2*every + every/2
	}
	c.state = stateOpening
	return nil
}

func (c *connection) open(d *decoder) error {
	vhost := d.shortstr()
	d.shortstr()
	d.u8()
	if !d.done() {
		return d.undecodable()
	}
	if vhost != "/" {
		return fail(notAllowed, "vhost %s not found", vhost)
	}
	c.send(0, connectionOpenOk, encoder{}.shortstr(""))
	c.state = stateRunning
	return nil
}
