package integration_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// gate is the only way to a server, and stays shut for as long as the test wants: a service
// whose connections are only cut may be back before a test on a busy machine looks.
type gate struct {
	addr, target string
	serving      sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]bool
}

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{addr: "127.0.0.1:0", target: target, conns: make(map[net.Conn]bool)}
	g.open(t)
	t.Cleanup(func() {
		g.shut()
		g.serving.Wait()
	})
	return g
}

func (g *gate) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	g.addr, g.listener = listener.Addr().String(), listener
	g.mu.Unlock()
	g.serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			g.serving.Go(func() { g.serve(client, listener) })
		}
	})
}

func (g *gate) serve(client net.Conn, by net.Listener) {
	defer client.Close()
	server, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer server.Close()
	g.mu.Lock()
	if g.listener != by { // shut meanwhile
		g.mu.Unlock()
		return
	}
	g.conns[client] = true
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.conns, client)
	}()
	g.serving.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
}

// shut cuts all connections, and returns how many there were.
func (g *gate) shut() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		_ = g.listener.Close()
		g.listener = nil
	}
	n := len(g.conns)
	for c := range g.conns {
		_ = c.Close()
	}
	return n
}
