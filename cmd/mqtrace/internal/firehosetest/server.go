package firehosetest

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Server is a broker, or a virtual host of one, for the exclusive use of a test.
type Server struct {
	URL string
	// VHost is the virtual host that URL leads to.
	VHost string
	// InProcess is nil for RabbitMQ.
	InProcess *amqpbroker.Broker
}

// Each runs f on the in-process broker, and on RabbitMQ if one is named. It must be
// reachable: a skipped test proves nothing.
//
// On RabbitMQ all tests of a package, which must not run in parallel, have one virtual
// host, and the firehose is as the previous test left it: rabbitmqctl takes a second or
// two, so it is run only for changes.
func Each(t *testing.T, f func(t *testing.T, s Server)) {
	t.Helper()
	t.Run("amqpbroker", func(t *testing.T) { f(t, inProcess(t)) })
	if server := os.Getenv("MQTRACE_AMQP_URL"); server != "" {
		t.Run("rabbitmq", func(t *testing.T) { f(t, rabbit.server(t, server)) })
	}
}

// One returns RabbitMQ if one is named, else the in-process broker.
func One(tb testing.TB) Server {
	tb.Helper()
	if server := os.Getenv("MQTRACE_AMQP_URL"); server != "" {
		return rabbit.server(tb, server)
	}
	return inProcess(tb)
}

func inProcess(tb testing.TB) Server {
	tb.Helper()
	b, err := amqpbroker.Start()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = b.Close() })
	return Server{URL: b.URL(), VHost: "/", InProcess: b}
}

// Trace turns the firehose on or off.
func (s Server) Trace(tb testing.TB, on bool) {
	tb.Helper()
	if s.InProcess != nil {
		s.InProcess.Trace(on)
		return
	}
	if err := rabbit.trace(on); err != nil {
		tb.Fatal(err)
	}
}

// Exit removes what the tests have left on RabbitMQ, and ends the process. TestMain
// must call it last.
func Exit(code int) {
	if err := rabbit.remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// rabbit is the virtual host of this process.
var rabbit vhost //nolint:gochecknoglobals // shared by all tests of the process

type vhost struct {
	name   string // empty until a test needs it
	rabbit string // where it is
	on     bool
}

func (v *vhost) server(tb testing.TB, server string) Server {
	tb.Helper()
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatal("MQTRACE_AMQP_URL is not a URL")
	}
	if v.name == "" {
		name := fmt.Sprintf("mqtrace-test-%d", os.Getpid())
		// One call imports both, in addition to what there is.
		definitions := fmt.Sprintf(`{"vhosts": [{"name": %q}], "permissions": [
			{"vhost": %[1]q, "user": %q, "configure": ".*", "write": ".*", "read": ".*"}]}`, name, cmp.Or(u.User.Username(), "guest"))
		// From a file: rabbitmqctl of RabbitMQ 4.3 does not read it from a pipe.
		file := filepath.Join(os.TempDir(), name+".json")
		if err := os.WriteFile(file, []byte(definitions), 0o644); err != nil { //nolint:gosec // Debian's rabbitmqctl reads it as another user
			tb.Fatal(err)
		}
		defer func() { _ = os.Remove(file) }()
		if err := control("import_definitions", file); err != nil {
			tb.Fatal(err)
		}
		v.name, v.rabbit = name, server
	}
	unlock, err := lock(server)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(unlock)
	u.Path = "/" + v.name
	return Server{URL: u.String(), VHost: v.name}
}

func (v *vhost) trace(on bool) error {
	if v.on == on {
		return nil
	}
	verb := "trace_off"
	if on {
		verb = "trace_on"
	}
	err := control(verb, "-p", v.name)
	if err == nil {
		v.on = on
	}
	return err
}

func (v *vhost) remove() error {
	if v.name == "" {
		return nil
	}
	unlock, err := lock(v.rabbit)
	if err != nil {
		return err
	}
	defer unlock()
	// RabbitMQ remembers by name that the firehose is on, even after the virtual host is
	// gone.
	return errors.Join(v.trace(false), control("delete_vhost", v.name))
}

// lock waits until no other process of these tests turns a firehose on or off: RabbitMQ
// reads, changes and writes back the list of active ones, and loses one of two concurrent
// changes. The lock is an exclusive queue.
func lock(server string) (unlock func(), err error) {
	conn, err := amqp.Dial(server)
	if err != nil {
		return nil, err
	}
	for waiting := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		ch, err := conn.Channel()
		if err == nil {
			_, err = ch.QueueDeclare("mqtrace-test-firehose", false, false, true, false, nil)
		}
		if err == nil {
			return func() { _ = conn.Close() }, nil
		}
		var failure *amqp.Error
		if !errors.As(err, &failure) || failure.Code != amqp.ResourceLocked {
			return nil, errors.Join(err, conn.Close())
		}
		if time.Since(waiting) > lockPatience {
			return nil, errors.Join(errors.New("another process has held the queue mqtrace-test-firehose for too long"), conn.Close())
		}
	}
}

// lockPatience is longer than all tests of a package take.
const lockPatience = 5 * time.Minute

// Command is rabbitmqctl, or what stands in for it.
func Command() []string {
	return strings.Fields(cmp.Or(os.Getenv("MQTRACE_RABBITMQCTL"), "rabbitmqctl"))
}

func control(args ...string) error {
	command := append(append(Command(), "-q"), args...)
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // the developer's own command; there is no context in TestMain
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(command, " "), err, out)
	}
	return nil
}
