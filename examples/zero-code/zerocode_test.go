// Package zerocode tests programs that know nothing of OpenTelemetry and are built with
// orchestrion.
package zerocode

import (
	"bytes"
	"cmp"
	"context"
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

// binaries is where the programs are, built once for all tests.
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

// servers are what the programs need.
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

// remove removes what the programs have made.
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

// run starts a program, which has to end by itself after a signal.
func (s servers) run(t *testing.T, name string, env ...string) (stop func()) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(filepath.Join(binaries, name))
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "AMQP_URL="+s.amqp, "REDIS_ADDR="+s.redis, "PREFIX="+s.prefix,
		"OTEL_SERVICE_NAME="+name, "OTEL_EXPORTER_OTLP_ENDPOINT="+s.spans.url, "OTEL_METRICS_EXPORTER=none",
		"OTEL_LOGS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=50")
	cmd.Env = append(cmd.Env, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if strings.Contains(out.String(), "DATA RACE") || strings.Contains(out.String(), "panic") {
				t.Errorf("%s: %v\n%s", name, err, out.String())
			}
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			t.Errorf("%s has not ended\n%s", name, out.String())
		}
		t.Logf("%s:\n%s", name, out.String())
	})
}

// order sends an order, as soon as there is somebody to take it.
func order(t *testing.T, addr, id string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		resp, err := http.Post("http://"+addr+"/orders", "application/json",
			strings.NewReader(`{"ID":"`+id+`","Email":"ada@example.com"}`))
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
	addr := freeAddr(t)
	stopNotify := s.run(t, "notify")
	stopEmail := s.run(t, "email")
	s.waitForQueue(t)
	stopOrder := s.run(t, "order", "HTTP_ADDR="+addr)
	defer stopOrder()
	defer stopEmail()
	defer stopNotify()
	order(t, addr, "1")
	s.spans.wait(t, 5)
	stopNotify()
	stopEmail()
	stopOrder()
	got := s.spans.outline(s.prefix)
	if got != strings.TrimPrefix(oneTrace, "\n") {
		t.Errorf("got\n%s", got)
	}
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

func (r *receiver) wait(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(r.all()) < n {
		if ctx.Err() != nil {
			t.Errorf("%d spans, want %d", len(r.all()), n)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
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
			if of != parent && !(parent == "" && !known[of]) {
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
