package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
)

// asTool names the variable that makes the test binary act as the tool, to test signals and
// exit codes.
const asTool = "MQTRACE_TEST_AS_TOOL"

func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		main()
	}
	// If the tests run under nohup, the tool would ignore the signal too. A signal that is
	// caught here has its default again in child processes.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	goleak.VerifyTestMain(m, goleak.Cleanup(firehosetest.Exit))
}

// process is the tool as a separate process, which is killed when the test ends.
func process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTool+"=1")
	return cmd
}

func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"no command":       {nil, 0, "COMMANDS:", ""},
		"help":             {[]string{"-h"}, 0, "broker", ""},
		"help of broker":   {[]string{"broker", "-h"}, 0, "-listen 127.0.0.1:0", ""},
		"version":          {[]string{"-v"}, 0, "mqtrace version", ""},
		"unknown command":  {[]string{"nope"}, exitUsage, "", `unknown command "nope"`},
		"unknown flag":     {[]string{"broker", "-x"}, exitUsage, "", "-x"},
		"argument":         {[]string{"broker", "x"}, exitUsage, "", `"x"`},
		"not on loopback":  {[]string{"broker", "-listen", "0.0.0.0:0"}, exitUsage, "", "-allow-remote"},
		"no port":          {[]string{"broker", "-listen", "127.0.0.1"}, exitFailed, "", "missing port"},
		"long queue":       {[]string{"peek", "amqp", strings.Repeat("q", 256)}, exitUsage, "", "QUEUE is longer than 255 bytes"},
		"long key":         {[]string{"tap", "-bind", strings.Repeat("k", 256)}, exitUsage, "", "-bind is longer than 255 bytes"},
		"shell completion": {[]string{"completion", "bash"}, 0, "complete", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(t.Context(), append([]string{"mqtrace"}, tt.args...), &stdout, &stderr)
			if code != tt.code || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
			}
			if tt.stderr == "" && stderr.Len() > 0 {
				t.Errorf("stderr %q", stderr.String())
			}
		})
	}
}

func TestBroker(t *testing.T) {
	for _, args := range [][]string{
		{"mqtrace", "broker", "-listen", "127.0.0.1:0"},
		{"mqtrace", "broker", "--listen=[::1]:0"},
		{"mqtrace", "broker", "-allow-remote", "-listen", "0.0.0.0:0"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		var stderr strings.Builder
		code := make(chan int, 1)
		go func() { code <- run(ctx, args, w, &stderr) }()
		useBroker(t, firstLine(t, r))
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("%q: exit code %d: %s", args, c, stderr.String())
		}
	}
}

// The other commands can be tried at once on what the broker creates at its start.
func TestBrokerWithQueues(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"mqtrace", "broker", "-listen", "127.0.0.1:0", "-queue", "probe",
			"-bind", "orders:order.*:orders", "-bind", "orders:a:b,c:orders", "-bind", "audit:#:orders"}, w, io.Discard)
	}()
	url := firstLine(t, r)
	for _, sent := range [][]string{
		{"-key", "probe"}, {"-exchange", "orders", "-key", "order.created"}, {"-exchange", "orders", "-key", "a:b,c"}, {"-exchange", "audit"},
	} {
		ok(t, append([]string{"send", "amqp", "-amqp", url}, sent...)...)
	}
	if out := ok(t, "peek", "amqp", "-amqp", url, "orders"); !strings.Contains(out, "3 of 3 messages") {
		t.Error(out)
	}
	fails(t, exitFailed, "address already in use; -listen 127.0.0.1:0 picks a free port", "broker", "-listen", strings.Trim(url[strings.Index(url, "@")+1:], "/"))
	fails(t, exitFailed, "address already in use; -addr 127.0.0.1:0 picks a free port", "view", "-addr", strings.Trim(url[strings.Index(url, "@")+1:], "/"))
	fails(t, exitFailed, `send to exchange "nope" with key "k": the broker says NOT_FOUND - no exchange 'nope' in vhost '/' (404)`,
		"send", "amqp", "-amqp", url, "-exchange", "nope", "-key", "k")
	cancel()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
	fails(t, exitUsage, `"orders:x" is not of the form EXCHANGE:KEY:QUEUE`, "broker", "-bind", "orders:x")
	fails(t, exitUsage, `":k:q" is not of the form EXCHANGE:KEY:QUEUE`, "broker", "-bind", ":k:q")
	fails(t, exitFailed, `exchange "amq.x": the broker says ACCESS_REFUSED`, "broker", "-listen", "127.0.0.1:0", "-bind", "amq.x:k:q")
}

func TestBrokerStopsOnSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		cmd := process(t, "broker", "-listen", "127.0.0.1:0")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		useBroker(t, firstLine(t, stdout))
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", sig, err)
		}
	}
}

func firstLine(t *testing.T, r io.Reader) string {
	t.Helper()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// useBroker sends a message through the broker at url.
func useBroker(t *testing.T, url string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	q, err := ch.QueueDeclare("", false, false, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := ch.PublishWithContext(ctx, "", q.Name, false, false, amqp.Publishing{Body: []byte("m")}); err != nil {
		t.Fatal(err)
	}
	if d, ok, err := ch.Get(q.Name, true); err != nil || !ok || string(d.Body) != "m" {
		t.Errorf("got %q, %v, %v", d.Body, ok, err)
	}
}
