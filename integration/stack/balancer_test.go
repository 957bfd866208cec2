//go:build stack

package stack_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// balancer is in front of the nodes, like a load balancer or a name with three addresses: a
// connection goes to the first node that accepts it.
type balancer struct {
	listener net.Listener

	mu      sync.Mutex
	targets []string
	clients map[net.Conn]bool
}

func startBalancer(t *testing.T, targets ...string) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: l, targets: targets, clients: make(map[net.Conn]bool)}
	t.Cleanup(func() {
		_ = l.Close()
		b.cut()
	})
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(client)
		}
	}()
	return b
}

func (b *balancer) addr() string { return b.listener.Addr().String() }

func (b *balancer) serve(client net.Conn) {
	defer client.Close()
	b.mu.Lock()
	targets := b.targets
	b.clients[client] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.clients, client)
	}()
	for _, target := range targets {
		server, err := net.Dial("tcp", target)
		if err != nil {
			continue
		}
		defer server.Close()
		go func() {
			_, _ = io.Copy(server, client)
			_ = server.Close()
		}()
		_, _ = io.Copy(client, server)
		return
	}
}

// prefer moves all connections to a target, as long as it is up.
func (b *balancer) prefer(target string) {
	b.mu.Lock()
	b.targets = append([]string{target}, b.targets...)
	b.mu.Unlock()
	b.cut()
}

func (b *balancer) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.clients {
		_ = c.Close()
	}
}
