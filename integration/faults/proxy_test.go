//go:build faults

package faults_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// proxy is between clients and a broker and can act as a bad network.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu     sync.Mutex
	pairs  map[*pair]bool
	silent bool
	resume *sync.Cond
	wire   wire
}

// pair is a client's connection and its connection to the broker.
type pair struct {
	client, server net.Conn
	halfOpen       bool // the broker's end is gone, unknown to the client
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, pairs: make(map[*pair]bool)}
	p.resume = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.speak()
		p.cut()
		p.running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "amqp://guest:guest@" + p.listener.Addr().String() + "/" }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		q := &pair{client: client, server: server}
		p.mu.Lock()
		p.pairs[q] = true
		p.mu.Unlock()
		for _, up := range []bool{true, false} {
			late := make(chan chunk, 1024)
			p.running.Go(func() { p.read(q, up, late) })
			p.running.Go(func() { p.write(q, up, late) })
		}
	}
}

// chunk is what one read returned, and when to pass it on.
type chunk struct {
	data []byte
	due  time.Time
}

// read reads from one end, up to the broker or down from it.
func (p *proxy) read(q *pair, up bool, late chan<- chunk) {
	defer close(late)
	from := q.server
	f := frames{}
	if up {
		from, f.left = q.client, protocolHeader
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.silent {
			p.resume.Wait()
		}
		p.wire.harm(&f, buf[:n], up)
		w := p.wire
		p.mu.Unlock()
		if n > 0 {
			late <- chunk{bytes.Clone(buf[:n]), time.Now().Add(w.latency)}
			time.Sleep(w.takes(n))
		}
		if err != nil {
			return
		}
	}
}

// write passes them on, and ends the pair when there are no more.
func (p *proxy) write(q *pair, up bool, late <-chan chunk) {
	to := q.client
	if up {
		to = q.server
	}
	for c := range late {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.data); err != nil {
			p.end(q, up) // the rest of what was read is dropped
		}
	}
	p.end(q, !up)
}

// end closes both ends. The loss of the broker's end does not close a half-open pair.
func (p *proxy) end(q *pair, byBroker bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.halfOpen && byBroker {
		return
	}
	delete(p.pairs, q)
	_, _ = q.client.Close(), q.server.Close()
}

// cut resets every connection; data in flight is lost.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := range p.pairs {
		reset(q.client)
		reset(q.server)
	}
}

// orphan closes the broker's ends without the clients noticing.
func (p *proxy) orphan() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := range p.pairs {
		q.halfOpen = true
		reset(q.server)
	}
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// hush silently drops everything until speak is called.
func (p *proxy) hush() { p.set(func() { p.silent = true }) }

func (p *proxy) speak() { p.set(func() { p.silent = false }) }

func (p *proxy) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.resume.Broadcast()
}
