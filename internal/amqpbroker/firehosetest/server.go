package firehosetest

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Server is a broker, or a virtual host of one, that nobody else uses.
type Server struct {
	URL string
	// VHost is the virtual host that URL leads to.
	VHost string
	// InProcess is nil for RabbitMQ.
	InProcess *amqpbroker.Broker
}

// Each runs f on the in-process broker, and on RabbitMQ where one is named. That one
// must answer: a test that skips proves nothing.
func Each(t *testing.T, f func(t *testing.T, s Server)) {
	t.Helper()
	t.Run("amqpbroker", func(t *testing.T) {
		b, err := amqpbroker.Start()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		f(t, Server{URL: b.URL(), VHost: "/", InProcess: b})
	})
	if server := os.Getenv("MQTRACE_AMQP_URL"); server != "" {
		t.Run("rabbitmq", func(t *testing.T) { f(t, newVHost(t, server)) })
	}
}

// Trace turns the firehose on or off.
func (s Server) Trace(t *testing.T, on bool) {
	t.Helper()
	switch {
	case s.InProcess != nil:
		s.InProcess.Trace(on)
	case on:
		control(t, "trace_on", "-p", s.VHost)
	default:
		control(t, "trace_off", "-p", s.VHost)
	}
}

var vhosts atomic.Int64

func newVHost(t *testing.T, server string) Server {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("MQTRACE_AMQP_URL is no URL")
	}
	name := fmt.Sprintf("mqtrace-test-%d-%d", os.Getpid(), vhosts.Add(1))
	control(t, "add_vhost", name)
	s := Server{VHost: name}
	t.Cleanup(func() {
		s.Trace(t, false) // RabbitMQ remembers it by name, beyond the end of the virtual host
		control(t, "delete_vhost", name)
	})
	control(t, "set_permissions", "-p", name, cmp.Or(u.User.Username(), "guest"), ".*", ".*", ".*")
	u.Path = "/" + name
	s.URL = u.String()
	return s
}

// Command is rabbitmqctl, or what stands in for it.
func Command() []string {
	return strings.Fields(cmp.Or(os.Getenv("MQTRACE_RABBITMQCTL"), "rabbitmqctl"))
}

func control(t *testing.T, args ...string) {
	t.Helper()
	command := append(append(Command(), "-q"), args...)
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil { //nolint:gosec,noctx // the developer's own command; t.Context has ended in Cleanup
		t.Errorf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
}
