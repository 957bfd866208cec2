package integration_test

import (
	"net"
	"sync"
	"testing"
)

// newHole listens, accepts, and never answers. It stands in for a server that hangs, which
// is worse than one that is down.
func newHole(t *testing.T) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var held []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				for _, c := range held {
					_ = c.Close()
				}
				return
			}
			held = append(held, conn)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
	})
	return listener.Addr().String()
}

// closed is an address on which nothing listens. A port that was just released may be in
// use by another test.
const closed = "127.0.0.1:1"
