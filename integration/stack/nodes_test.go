//go:build stack

package stack_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const vhost = "shop" // of definitions.json

// nodes is a cluster of three RabbitMQ nodes, by integration/rabbitmq.sh, configured like
// those of deploy/scale.
type nodes struct {
	t    *testing.T
	env  []string
	port int // of the first
}

func startNodes(t *testing.T) *nodes {
	t.Helper()
	n := &nodes{t: t, port: freePorts(t)}
	n.env = append(os.Environ(),
		"MQTRACE_RABBITMQ_DIR="+filepath.Join(t.TempDir(), "nodes"),
		"MQTRACE_EPMD_PORT="+itoa(n.port+20),
		"MQTRACE_RABBITMQ_CONF="+joined(t, "../../deploy/rabbitmq/20-mqtrace.conf", "../../deploy/scale/rabbitmq.conf"))
	t.Cleanup(func() { n.script("clean") })
	n.script("cluster", itoa(n.port))
	// A copy, since programs of integration/servers.sh cannot see this directory.
	n.script("ctl", "n1", "-q", "import_definitions", joined(t, "../../deploy/scale/definitions.json"))
	n.script("ctl", "n1", "-q", "set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
	return n
}

// joined returns a new file that concatenates others, as RabbitMQ reads its conf.d.
func joined(t *testing.T, paths ...string) string {
	t.Helper()
	var all []byte
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, data...), '\n')
	}
	path := filepath.Join(t.TempDir(), "joined.conf")
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freePorts returns a free port whose neighbours that the nodes need are free as well.
func freePorts(t *testing.T) int {
	t.Helper()
	for port := 27000 + os.Getpid()%2000; port < 32000; port += 50 {
		free := true
		for _, offset := range []int{0, 1, 2, 10, 11, 12, 20} {
			l, err := net.Listen("tcp", "127.0.0.1:"+itoa(port+offset))
			if err != nil {
				free = false
				break
			}
			_ = l.Close()
		}
		if free {
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

// script runs rabbitmq.sh and fails the test if that fails.
func (n *nodes) script(args ...string) string {
	n.t.Helper()
	cmd := exec.Command("../rabbitmq.sh", args...)
	cmd.Env = n.env
	out, err := cmd.Output()
	if err != nil {
		problem := ""
		if exit, ok := err.(*exec.ExitError); ok {
			problem = string(exit.Stderr)
		}
		n.t.Fatalf("rabbitmq.sh %s: %v\n%s%s", strings.Join(args, " "), err, out, problem)
	}
	return string(out)
}

// queue returns what rabbitmqctl reports about a queue: the type, the leader and the
// members that are online.
func (n *nodes) queue(via, name string) (kind, leader string, online int) {
	n.t.Helper()
	out := n.script("ctl", via, "-q", "list_queues", "-p", vhost, "--no-table-headers", "name", "type", "leader", "online")
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 4 && f[0] == name {
			leader, _, _ = strings.Cut(f[2], "@")
			return f[1], leader, strings.Count(f[3], "@")
		}
	}
	n.t.Fatalf("no queue %s in\n%s", name, out)
	return "", "", 0
}
