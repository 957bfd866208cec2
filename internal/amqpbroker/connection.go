package amqpbroker

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// connection is one client. Its fields belong to the reading goroutine unless noted
// otherwise; channels is changed only there, and only under the broker's mutex.
type connection struct {
	broker     *Broker
	sock       net.Conn
	in         *bufio.Reader
	out        outbox
	heartbeats chan time.Duration // sets the writer's interval

	state        connectionState
	capabilities table
	clientName   string        // under the broker's mutex
	frameMax     uint32        // largest frame, 0 for no limit; fixed once channels exist
	channelMax   uint16        // 0 for no limit
	silence      time.Duration // after which the peer counts as dead, 0 for never
	channels     map[uint16]*channel

	confirming map[*channel]struct{}     // channels with confirms to send; under the broker's mutex
	blocked    bool                      // connection.blocked was sent; under the broker's mutex
	published  bool                      // content arrived since the last check
	lastCall   atomic.Pointer[time.Time] // when shutDown gives up on the peer
	gone       chan struct{}             // closed when the connection must not wait any longer
}

type connectionState int

const (
	stateStarting connectionState = iota
	stateTuning
	stateOpening
	stateRunning
	stateClosing // connection.close was sent
	stateClosed  // the socket can be closed
)

func newConnection(b *Broker, sock net.Conn) *connection {
	c := &connection{
		broker:     b,
		sock:       sock,
		heartbeats: make(chan time.Duration, 1),
		frameMax:   b.cfg.frameMax,
		channels:   make(map[uint16]*channel),
		confirming: make(map[*channel]struct{}),
		gone:       make(chan struct{}),
	}
	c.in = bufio.NewReaderSize(socketReader{c}, 32<<10)
	c.out.init()
	return c
}

// socketReader sends the pending confirms before it waits for the peer, so that they are
// batched but never late.
type socketReader struct{ c *connection }

func (r socketReader) Read(p []byte) (int, error) {
	c := r.c
	c.flushConfirms()
	if c.silence > 0 && c.state == stateRunning {
		c.deadline(c.sock.SetReadDeadline, c.silence)
	}
	return c.sock.Read(p)
}

// deadline sets a deadline d from now, 0 for none, unless shutDown has set the final one.
func (c *connection) deadline(set func(time.Time) error, wait time.Duration) {
	if wait == 0 {
		_ = set(time.Time{})
	} else {
		_ = set(time.Now().Add(wait))
	}
	if last := c.lastCall.Load(); last != nil {
		_ = set(*last)
	}
}

// errLostSync means that what follows on the socket cannot be parsed as frames.
var errLostSync = errors.New("amqpbroker: lost sync with the peer")

// read is the connection's reading goroutine. It owns the connection: when it ends, so does
// the connection.
func (c *connection) read() {
	err := c.shakeHands()
	for err == nil && c.state != stateClosed {
		err = c.readFrame()
		c.holdIfBlocked()
	}
	c.forget()
	c.out.end()
	// Keep reading so that the peer sees the last output: closing a socket with unread
	// input would reset it and lose the output.
	c.deadline(c.sock.SetDeadline, c.broker.cfg.closeGrace)
	_, _ = io.Copy(io.Discard, c.sock)
	<-c.out.finished
	_ = c.sock.Close()
}

// forget removes the connection from the broker's state.
func (c *connection) forget() {
	b := c.broker
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.connections, c)
	c.dropChannels()
}

// dropChannels ends all channels and deletes the exclusive queues. Messages that one
// channel returns must not go to the next, which is about to end too. The broker's mutex
// must be held.
func (c *connection) dropChannels() {
	for _, ch := range c.channels {
		ch.unsubscribe()
	}
	for id, ch := range c.channels {
		ch.end()
		delete(c.channels, id)
	}
	for _, q := range c.broker.queues {
		if q.owner == c {
			q.delete()
		}
	}
}

// cut drops the connection without closing it properly. The broker's mutex must be held.
func (c *connection) cut() {
	if tcp, ok := c.sock.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.sock.Close()
	c.stopWaiting()
	c.out.end()
	delete(c.broker.connections, c)
}

// stopWaiting releases a publisher that is being held. The broker's mutex must be held.
func (c *connection) stopWaiting() {
	select {
	case <-c.gone:
	default:
		close(c.gone)
	}
}

// shutDown asks the peer to close. The broker's mutex must be held.
func (c *connection) shutDown() {
	c.sendClose(&exception{code: connectionForced, text: "broker forced connection closure with reason 'shutdown'"})
	last := time.Now().Add(c.broker.cfg.closeGrace)
	c.lastCall.Store(&last)
	c.stopWaiting()
	_ = c.sock.SetDeadline(last)
}

func (c *connection) sendClose(e *exception) {
	args := encoder{}.u16(e.code).shortstr(e.replyText()).u16(e.culprit.class()).u16(e.culprit.method())
	c.send(0, connectionClose, args)
}

// raise reports an exception that ends the connection to the peer. It returns other errors:
// they end the connection too, but there is no peer left to report them to.
func (c *connection) raise(err error) error {
	var e *exception
	if !errors.As(err, &e) {
		return err
	}
	if c.state >= stateClosing {
		return nil
	}
	c.flushConfirms()
	c.broker.mu.Lock()
	c.dropChannels()
	c.broker.mu.Unlock()
	c.sendClose(e)
	c.state = stateClosing
	c.silence = 0
	c.deadline(c.sock.SetReadDeadline, c.broker.cfg.closeGrace)
	return nil
}
