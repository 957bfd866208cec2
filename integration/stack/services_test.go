//go:build stack

package stack_test

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/mqtrace/mqtrace/examples/order-notification/backend"
	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
)

// emailRetry is the delay before an email is tried again: after the decision on its
// trace.
const emailRetry = decisionWait + 4*time.Second

// redisDatabase is a database that nothing else uses by default.
const redisDatabase = "11"

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mqtrace-stack-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "order-notification")
	redis.SetLogger(quiet{})
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// quiet discards what go-redis logs about servers older than itself.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// build builds the example, once.
var build = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "build", "-o", binary, "../../examples/order-notification").CombinedOutput()
	return string(out), err
})

// services are the example's services, each a process.
type services struct {
	*backend.Backend

	env                        []string
	order, notification, email *program
	orderAddr                  string
	url                        string // of the order API
}

// servers are the RabbitMQ and the Redis of the machine.
func servers(t *testing.T) config.Config {
	t.Helper()
	addr := cmp.Or(os.Getenv("MQTRACE_REDIS_ADDR"), "127.0.0.1:6379")
	if !strings.Contains(addr, "://") {
		addr = "redis://" + addr + "/" + redisDatabase
	}
	opt, err := tasks.ParseRedis(addr)
	if err != nil {
		t.Fatal(err)
	}
	return config.Config{
		AMQPURL: cmp.Or(os.Getenv("MQTRACE_AMQP_URL"), "amqp://guest:guest@127.0.0.1:5672/"),
		Redis:   opt,
	}
}

// startServices starts them with unique names on the servers, and makes them send their
// telemetry to an OTLP receiver.
func startServices(t *testing.T, cfg config.Config, otlp string, env ...string) *services {
	t.Helper()
	if out, err := build(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := backend.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := &services{Backend: b, orderAddr: freeAddr(t), env: append([]string{
		"MQTRACE_AMQP_URL=" + b.AMQPURL, "MQTRACE_REDIS_ADDR=" + redisURL(b),
		"NAME_PREFIX=" + b.Prefix, "EMAIL_RETRY_DELAY=" + emailRetry.String(),
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp,
	}, env...)}
	s.url = "http://" + s.orderAddr
	s.startOrder(t)
	s.startNotification(t)
	s.startEmail(t)
	return s
}

func redisURL(b *backend.Backend) string {
	u := url.URL{Scheme: "redis", Host: b.Redis.Addr, Path: "/" + itoa(b.Redis.DB)}
	if b.Redis.TLSConfig != nil {
		u.Scheme = "rediss"
	}
	if b.Redis.Password != "" {
		u.User = url.UserPassword(b.Redis.Username, b.Redis.Password)
	}
	return u.String()
}

func (s *services) startOrder(t *testing.T) {
	t.Helper()
	s.order = s.start(t, "order", s.orderAddr, "taking orders")
}

func (s *services) startNotification(t *testing.T) {
	t.Helper()
	s.notification = s.start(t, "notification", "127.0.0.1:0", "consuming order events")
}

func (s *services) startEmail(t *testing.T) {
	t.Helper()
	s.email = s.start(t, "email", "127.0.0.1:0", "waiting for email tasks")
}

func (s *services) start(t *testing.T, name, addr, ready string) *program {
	t.Helper()
	p := run(t, name, binary, append(slices.Clone(s.env), "HTTP_ADDR="+addr), "-run", name)
	p.logged(t, ready)
	return p
}

// awaitEmails waits until the email worker has done that many tasks.
func (s *services) awaitEmails(t *testing.T, many int) {
	t.Helper()
	inspector := asynq.NewInspector(s.Redis)
	defer inspector.Close()
	eventually(t, "all emails are sent", func() bool {
		info, err := inspector.GetQueueInfo(s.EmailQueue())
		if err != nil {
			t.Fatal(err)
		}
		return info.ProcessedTotal-info.FailedTotal >= many
	})
}

// stop stops all three at once, as a deployment does.
func (s *services) stop(t *testing.T) {
	t.Helper()
	for _, p := range s.all() {
		p.signal(t, sigterm)
	}
	for _, p := range s.all() {
		p.ended(t)
	}
}

func (s *services) all() []*program { return []*program{s.order, s.notification, s.email} }

// logged waits for a line with that message.
func (p *program) logged(t *testing.T, message string) {
	t.Helper()
	eventually(t, p.name+" logs "+message, func() bool {
		select {
		case <-p.done:
			t.Fatalf("%s has ended", p.name)
		default:
		}
		for text := range strings.Lines(p.log.String()) {
			var line map[string]any
			if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == message {
				return true
			}
		}
		return false
	})
}
