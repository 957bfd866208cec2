//go:build faults

package asynqtrace_test

import (
	"context"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// privateRedis is a redis-server for one test, which may be killed. It writes each command
// to disk before it answers.
type privateRedis struct {
	addr, port, dir string
	server          *exec.Cmd
}

func newPrivateRedis(t *testing.T) *privateRedis {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &privateRedis{addr: l.Addr().String(), dir: t.TempDir()}
	_, r.port, _ = net.SplitHostPort(r.addr)
	_ = l.Close()
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

func (r *privateRedis) start(t *testing.T) {
	t.Helper()
	r.server = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", r.port, "--dir", r.dir,
		"--save", "", "--appendonly", "yes", "--appendfsync", "always")
	if err := r.server.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: r.addr})
	defer client.Close()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(50 * time.Millisecond) {
		if client.Ping(context.Background()).Err() == nil {
			return
		}
	}
	t.Fatal("redis-server does not answer")
}

// kill ends the server as a crash does.
func (r *privateRedis) kill() {
	_ = r.server.Process.Kill()
	_ = r.server.Wait()
}

// ledger counts how often each task was processed.
type ledger struct {
	mu   sync.Mutex
	done map[string]int
}

func (l *ledger) note(ctx context.Context) {
	id, _ := asynq.GetTaskID(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(map[string]int)
	}
	l.done[id]++
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.done)
}

func (l *ledger) await(t *testing.T, n int) {
	t.Helper()
	for range 12000 {
		if l.count() >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d tasks were worked on, want %d", l.count(), n)
}
