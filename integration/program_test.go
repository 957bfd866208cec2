package integration_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary builds the example once, without debug information, as go run does.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mqtrace-integration-")
	if err != nil {
		return "", err
	}
	binaryDir = dir
	path := filepath.Join(dir, "order-notification")
	out, err := exec.Command("go", "build", "-ldflags=-w", "-o", path, "../examples/order-notification").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

var binaryDir string

func removeBinary() {
	if binaryDir != "" {
		_ = os.RemoveAll(binaryDir)
	}
}

// program is the example's binary, running.
type program struct {
	command        *exec.Cmd
	stdout, stderr *logs
	done           chan struct{}
	err            error // once done is closed
}

// start runs the binary without the OTEL_*, MQTRACE_* and example variables of the
// environment, except for those given.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{
		command: exec.Command(path, args...),
		stdout:  &logs{}, stderr: &logs{}, done: make(chan struct{}),
	}
	own := []string{"HTTP_ADDR", "VIEW_ADDR", "PAYMENT_URL", "NAME_PREFIX", "LOG_LEVEL", "EMAIL_RETRY_DELAY"}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "OTEL_") && !strings.HasPrefix(name, "MQTRACE_") && !slices.Contains(own, name) {
			p.command.Env = append(p.command.Env, pair)
		}
	}
	p.command.Env = append(p.command.Env, env...)
	p.command.Stdout, p.command.Stderr = p.stdout, p.stderr
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%v\nstdout:\n%s\nstderr:\n%s", args, p.stdout, p.stderr)
		}
	})
	return p
}

// exit waits for the program to end, at most limit, and returns the exit code.
func (p *program) exit(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Fatalf("it still runs after %v", limit)
	}
	return p.command.ProcessState.ExitCode()
}

// stopLimit is how long a program may take to stop: the grace that Kubernetes gives.
const stopLimit = 30 * time.Second

// terminate sends SIGTERM and expects an orderly end.
func (p *program) terminate(t *testing.T) {
	t.Helper()
	p.signal(t)
	p.stopped(t)
}

func (p *program) signal(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

func (p *program) stopped(t *testing.T) {
	t.Helper()
	if code := p.exit(t, stopLimit); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

// logged waits for a log line with that message and returns it.
func (p *program) logged(t *testing.T, message string) map[string]any {
	t.Helper()
	var line map[string]any
	eventually(t, "it logged "+message, func() bool {
		for _, l := range p.lines() {
			if l["msg"] == message {
				line = l
				return true
			}
		}
		select {
		case <-p.done:
			t.Fatalf("it ended before it logged %q", message)
		default:
		}
		return false
	})
	return line
}

// lines returns the complete JSON log lines so far.
func (p *program) lines() []map[string]any {
	var lines []map[string]any
	for text := range strings.Lines(p.stderr.String()) {
		var l map[string]any
		if json.Unmarshal([]byte(text), &l) == nil {
			lines = append(lines, l)
		}
	}
	return lines
}

// warnings counts the log lines with that message.
func (p *program) warnings(message string) int {
	n := 0
	for _, l := range p.lines() {
		if l["msg"] == message && l["level"] == "WARN" {
			n++
		}
	}
	return n
}

// finish runs the binary to its end.
func finish(t *testing.T, limit time.Duration, env []string, args ...string) (p *program, code int) {
	t.Helper()
	p = start(t, env, args...)
	return p, p.exit(t, limit)
}
