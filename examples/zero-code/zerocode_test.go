// Package zerocode tests programs that know nothing of OpenTelemetry and are built with
// orchestrion.
package zerocode

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

const patience = 30 * time.Second

// binaries is the directory of the programs, built once for all tests.
var binaries string

func TestMain(m *testing.M) {
	code, err := build(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(run func() int) (code int, err error) {
	if binaries, err = os.MkdirTemp("", "mqtrace-zero-code-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(binaries)) }()
	args := []string{"tool", "orchestrion", "go", "build", "-o", binaries + "/"}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./order", "./notify", "./email")...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w\n%s", err, out)
	}
	return run(), nil
}

// servers are the servers that the programs need.
type servers struct {
	amqp, redis, prefix string
	spans               *receiver
}

func start(t *testing.T) servers {
	t.Helper()
	s := servers{os.Getenv("MQTRACE_AMQP_URL"), os.Getenv("MQTRACE_REDIS_ADDR"), fmt.Sprintf("zero-%d-%s.", os.Getpid(), t.Name()), receive(t)}
	if s.amqp == "" {
		b, err := amqpbroker.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		s.amqp = b.URL()
	}
	if s.redis == "" {
		s.redis = miniredis.RunT(t).Addr()
	}
	t.Cleanup(func() { s.remove(t) })
	return s
}

// remove removes what the programs have created.
func (s servers) remove(t *testing.T) {
	t.Helper()
	conn, err := amqp.Dial(s.amqp)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Error(err)
		return
	}
	_, queueErr := ch.QueueDelete(s.prefix+"notifications", false, false, false)
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: s.redis})
	defer inspector.Close()
	err = inspector.DeleteQueue(s.prefix+"emails", true)
	if errors.Is(err, asynq.ErrQueueNotFound) {
		err = nil
	}
	if err := errors.Join(queueErr, ch.ExchangeDelete(s.prefix+"orders", false, false), err); err != nil {
		t.Error(err)
	}
}

// A program is one of the three, running.
type program struct {
	cmd   *exec.Cmd
	out   output
	ended chan error
	stop  func()
}

// output may be written while it is read.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// run starts a program. Its spans are exported only after a minute, so that what is
// received was exported at its end.
func (s servers) run(t *testing.T, name string, env ...string) *program {
	t.Helper()
	return s.start(t, exec.Command(filepath.Join(binaries, name)), name, env...)
}

func (s servers) start(t *testing.T, cmd *exec.Cmd, name string, env ...string) *program {
	t.Helper()
	p := &program{cmd: cmd, ended: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.Env = append(os.Environ(), "AMQP_URL="+s.amqp, "REDIS_ADDR="+s.redis, "PREFIX="+s.prefix,
		"OTEL_SERVICE_NAME="+name, "OTEL_EXPORTER_OTLP_ENDPOINT="+s.spans.url, "OTEL_METRICS_EXPORTER=none",
		"OTEL_BSP_SCHEDULE_DELAY=60000")
	p.cmd.Env = append(p.cmd.Env, env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.ended <- p.cmd.Wait() }()
	p.stop = sync.OnceFunc(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		p.wait(t)
	})
	t.Cleanup(p.stop)
	return p
}

// wait waits until the program has ended.
func (p *program) wait(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
		t.Errorf("%s has not ended", p.cmd.Path)
	}
	t.Logf("%s: %s\n%s", filepath.Base(p.cmd.Path), p.cmd.ProcessState, p.out.String())
	if strings.Contains(p.out.String(), "DATA RACE") || strings.Contains(p.out.String(), "panic") {
		t.Error("a race or a panic")
	}
}

func (p *program) waitFor(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(patience); !strings.Contains(p.out.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not say %q", p.cmd.Path, text)
		}
	}
}

// order sends an order, as soon as the server accepts it.
func order(t *testing.T, addr, id string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		resp, err := http.Post("http://"+addr+"/orders", "application/json",
			strings.NewReader(`{"id":"`+id+`","email":"ada@example.com"}`))
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				t.Fatal(resp.Status)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The outline is that of the same flow with amqptrace, asynqtrace and otelhttp called by hand.
const oneTrace = `
POST /orders [order]
  publish orders [order]
    process notifications [notify] ack
      enqueue emails [notify]
        process emails [email]
`

func TestOneTrace(t *testing.T) {
	s := start(t)
	shop := s.play(t, nil, nil, nil)[0]
	if got := s.spans.outline(s.prefix); got != strings.TrimPrefix(oneTrace, "\n") {
		t.Errorf("got\n%s", got)
	}
	// The signal has ended it, as if there were no handler.
	if status, ok := shop.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("order: %v", shop.cmd.ProcessState)
	}
}

// play runs the three programs, each with its own variables, until one order has become an
// email. They have ended when it returns.
func (s servers) play(t *testing.T, shopEnv, notifyEnv, emailEnv []string) []*program {
	t.Helper()
	addr := freeAddr(t)
	notify, email := s.run(t, "notify", notifyEnv...), s.run(t, "email", emailEnv...)
	s.waitForQueue(t)
	shop := s.run(t, "order", append(shopEnv, "HTTP_ADDR="+addr)...)
	order(t, addr, "1")
	email.waitFor(t, "Your order 1 is on its way.")
	programs := []*program{shop, notify, email}
	for _, p := range programs {
		p.stop()
	}
	return programs
}

// An invalid variable is named, and the program works, without traces.
func TestWrongSettings(t *testing.T) {
	s, wrong := start(t), []string{"MQTRACE_RELATION=sometimes"}
	for _, p := range s.play(t, wrong, wrong, wrong) {
		if !strings.Contains(p.out.String(), `mqtrace: no traces: MQTRACE_RELATION="sometimes": want continue, new-trace`) {
			t.Error("the variable is not named")
		}
	}
	if got := s.spans.all(); len(got) != 0 {
		t.Errorf("%d spans", len(got))
	}
}

// The last telemetry before os.Exit is exported too.
func TestExit(t *testing.T) {
	s := start(t)
	p := s.run(t, "notify", "AMQP_URL=amqp://127.0.0.1:1/")
	p.waitFor(t, "connection refused")
	p.wait(t)
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	p.ended <- nil                                      // for stop
	s.run(t, "notify").waitFor(t, "waiting for orders") // creates what remove removes
}

// Options are set by variables.
func TestNewTraces(t *testing.T) {
	s := start(t)
	s.play(t, []string{"MQTRACE_HTTP=false"}, []string{"MQTRACE_RELATION=new-trace"}, []string{"MQTRACE_QUEUES=-*emails"})
	want := "publish orders [order]\nprocess notifications [notify] ack\n  enqueue emails [notify]\n"
	if got := s.spans.outline(s.prefix); got != want {
		t.Errorf("got\n%s", got)
	}
}

// A signal that the program was started to ignore, as nohup does, stays ignored.
func TestIgnoredSignal(t *testing.T) {
	s, addr := start(t), freeAddr(t)
	p := s.start(t, exec.Command("/bin/sh", "-c", `trap "" INT; exec "$0"`, filepath.Join(binaries, "order")), "order", "HTTP_ADDR="+addr)
	notify := s.run(t, "notify") // creates what remove removes
	s.waitForQueue(t)
	order(t, addr, "1")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	order(t, addr, "2")
	time.Sleep(100 * time.Millisecond) // in which the signal would have ended it
	order(t, addr, "3")
	p.stop()
	notify.stop()
}

// waitForQueue waits until the consumer has bound its queue, without which messages go nowhere.
func (s servers) waitForQueue(t *testing.T) {
	t.Helper()
	conn, err := amqp.Dial(s.amqp)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		if q, err := ch.QueueDeclarePassive(s.prefix+"notifications", true, false, false, false, nil); err == nil && q.Consumers > 0 {
			return
		}
		_ = ch.Close()
	}
	t.Fatal("nobody consumes")
}

// receiver takes spans over OTLP.
type receiver struct {
	url string

	mu    sync.Mutex
	spans []span
}

type span struct {
	*otlp.Span

	service string
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := new(receiver)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var export collector.ExportTraceServiceRequest
		if err = errors.Join(err, proto.Unmarshal(body, &export)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, rs := range export.GetResourceSpans() {
			service := ""
			for _, a := range rs.GetResource().GetAttributes() {
				if a.GetKey() == "service.name" {
					service = a.GetValue().GetStringValue()
				}
			}
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					r.spans = append(r.spans, span{s, service})
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) all() []span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// outline draws the spans as trees, without the prefix of names.
func (r *receiver) outline(prefix string) string {
	spans := r.all()
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.GetStartTimeUnixNano(), b.GetStartTimeUnixNano()) })
	known := make(map[string]bool)
	for _, s := range spans {
		known[hex.EncodeToString(s.GetSpanId())] = true
	}
	var out strings.Builder
	var draw func(parent, indent string)
	draw = func(parent, indent string) {
		for _, s := range spans {
			of := hex.EncodeToString(s.GetParentSpanId())
			if isRoot := !known[of]; isRoot != (parent == "") || !isRoot && of != parent {
				continue
			}
			fmt.Fprintf(&out, "%s%s [%s]", indent, strings.ReplaceAll(s.GetName(), prefix, ""), s.service)
			for _, a := range s.GetAttributes() {
				if a.GetKey() == "mqtrace.settlement" {
					out.WriteString(" " + a.GetValue().GetStringValue())
				}
			}
			if s.GetStatus().GetCode() == otlp.Status_STATUS_CODE_ERROR {
				out.WriteString(" ERROR " + s.GetStatus().GetMessage())
			}
			out.WriteByte('\n')
			draw(hex.EncodeToString(s.GetSpanId()), indent+"  ")
		}
	}
	draw("", "")
	return out.String()
}
