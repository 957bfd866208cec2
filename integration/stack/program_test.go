//go:build stack

package stack_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what normally takes a moment, to allow for a busy
// machine.
const patience = 2 * time.Minute

// program is a program of the stack, running.
type program struct {
	name string
	cmd  *exec.Cmd
	log  *buffer
	done chan struct{}
}

// run starts a program, which ends with the test. Of the environment variables that any of
// the programs reads, it gets only those given.
func run(t *testing.T, name, path string, env []string, args ...string) *program {
	t.Helper()
	p := &program{name: name, cmd: exec.Command(path, args...), log: &buffer{}, done: make(chan struct{})}
	p.cmd.Env = append(cleanEnvironment(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, p.log.tail(12))
		}
	})
	return p
}

func cleanEnvironment() []string {
	var clean []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		switch {
		case strings.HasPrefix(name, "OTEL_"), strings.HasPrefix(name, "MQTRACE_"), strings.HasPrefix(name, "SAMPLING_"):
		case name == "HTTP_ADDR", name == "PAYMENT_URL", name == "NAME_PREFIX", name == "LOG_LEVEL", name == "EMAIL_RETRY_DELAY":
		default:
			clean = append(clean, pair)
		}
	}
	return clean
}

func (p *program) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

// terminate sends SIGTERM and expects an orderly end.
func (p *program) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	p.ended(t)
}

func (p *program) ended(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", p.name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("%s: exit code %d", p.name, code)
	}
}

// kill ends it as the kernel would when memory is short.
func (p *program) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.done
}

// memory returns the resident set size, in MiB.
func (p *program) memory(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib / 1024
		}
	}
	t.Fatalf("%s has no resident set", p.name)
	return 0
}

// answers waits until a GET of the URL is answered with 200.
func (p *program) answers(t *testing.T, url string) {
	t.Helper()
	eventually(t, p.name+" answers at "+url, func() bool {
		select {
		case <-p.done:
			t.Fatalf("%s has ended", p.name)
		default:
		}
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// eventually waits for something that nothing announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("timed out waiting for: %s", what)
		}
	}
}

// nextPort is below the kernel's range of ephemeral ports.
var nextPort atomic.Int32

// freeAddr returns an address on which nothing listens, a different one each time.
func freeAddr(t *testing.T) string {
	t.Helper()
	nextPort.CompareAndSwap(0, 20_000+int32(os.Getpid()%40)*100)
	for range 1000 {
		addr := net.JoinHostPort("127.0.0.1", itoa(int(nextPort.Add(1))))
		if l, err := net.Listen("tcp", addr); err == nil {
			_ = l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

// built returns the path of a program that build.sh has built.
func built(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("MQTRACE_STACK_DIR")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(cache, "mqtrace-stack")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: integration/stack/build.sh makes it", err)
	}
	return path
}

// buffer holds the output of a program.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

// tail returns the last n lines, or as much of them as fits on a screen.
func (b *buffer) tail(n int) string {
	lines := strings.Split(b.String(), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		lines[i] = line[:min(len(line), 300)]
	}
	return strings.Join(lines, "\n")
}
