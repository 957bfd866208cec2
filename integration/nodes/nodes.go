// Package nodes starts RabbitMQ nodes for one test, with integration/rabbitmq.sh. The test
// may kill them.
package nodes

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Nodes are RabbitMQ nodes of one test.
type Nodes struct {
	// Port is the port of the first node; the others have the next ones.
	Port int

	tb  testing.TB
	dir string
	env []string
}

// New starts no node. Those that the test starts end with it. Each has the given plugins.
func New(tb testing.TB, plugins ...string) *Nodes {
	tb.Helper()
	port := freePorts(tb)
	n := &Nodes{Port: port, tb: tb, dir: filepath.Join(tb.TempDir(), "nodes")}
	n.env = append(os.Environ(), "MQTRACE_RABBITMQ_DIR="+n.dir, "MQTRACE_EPMD_PORT="+strconv.Itoa(port+20),
		"MQTRACE_RABBITMQ_PLUGINS="+strings.Join(plugins, ","))
	tb.Cleanup(func() { n.Run("clean") })
	return n
}

// freePorts returns a free port whose neighbours that the nodes need are free as well.
func freePorts(tb testing.TB) int {
	tb.Helper()
	for port := 21000 + os.Getpid()%5000; port < 32000; port += 50 {
		if allFree(port, port+1, port+2, port+10, port+11, port+12, port+20, port+30, port+31) {
			return port
		}
	}
	tb.Fatal("no free ports")
	return 0
}

func allFree(ports ...int) bool {
	for _, p := range ports {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:"+strconv.Itoa(p))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// Configure writes a node's rabbitmq.conf, before the node starts.
func (n *Nodes) Configure(name string, lines ...string) {
	n.tb.Helper()
	dir := filepath.Join(n.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		n.tb.Fatal(err)
	}
	conf := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "rabbitmq.conf"), []byte(conf), 0o600); err != nil {
		n.tb.Fatal(err)
	}
}

// Run calls the script, and fails the test if the script fails.
func (n *Nodes) Run(args ...string) string {
	n.tb.Helper()
	var out, problems bytes.Buffer
	_, here, _, _ := runtime.Caller(0) //nolint:dogsled // only the file name is needed
	// The arguments are those of a test, and the nodes outlive the test's context.
	cmd := exec.CommandContext(context.Background(), filepath.Join(filepath.Dir(here), "..", "rabbitmq.sh"), args...) //nolint:gosec // see above
	cmd.Env, cmd.Stdout, cmd.Stderr = n.env, &out, &problems
	began := time.Now()
	if err := cmd.Run(); err != nil {
		n.tb.Fatalf("rabbitmq.sh %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	n.tb.Logf("rabbitmq.sh %s: %v", strings.Join(args, " "), time.Since(began).Round(time.Millisecond))
	return out.String()
}

// URL returns the URL of the node with that index.
func (n *Nodes) URL(i int) string { return "amqp://guest:guest@" + n.Addr(i) + "/" }

// Addr returns the host and port of the node with that index.
func (n *Nodes) Addr(i int) string { return "127.0.0.1:" + strconv.Itoa(n.Port+i) }
