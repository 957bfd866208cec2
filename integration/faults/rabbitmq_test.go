//go:build faults

package faults_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nodes are RabbitMQ nodes of one test, by integration/rabbitmq.sh.
type nodes struct {
	t    *testing.T
	env  []string
	port int // of the first
}

// newNodes starts none. Whatever the test starts ends with it.
func newNodes(t *testing.T) *nodes {
	t.Helper()
	port := freePorts(t)
	n := &nodes{t: t, port: port, env: append(os.Environ(),
		"MQTRACE_RABBITMQ_DIR="+filepath.Join(t.TempDir(), "nodes"), "MQTRACE_EPMD_PORT="+itoa(port+20))}
	t.Cleanup(func() { n.run("clean") })
	return n
}

// freePorts finds a port that is free and so are those that its nodes need.
func freePorts(t *testing.T) int {
	t.Helper()
	for port := 21000 + os.Getpid()%5000; port < 32000; port += 50 {
		if allFree(port, port+1, port+2, port+10, port+11, port+12, port+20) {
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

func allFree(ports ...int) bool {
	for _, p := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:"+itoa(p))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}

// run fails the test where the script does.
func (n *nodes) run(args ...string) string {
	n.t.Helper()
	var out, problems bytes.Buffer
	cmd := exec.Command("../rabbitmq.sh", args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = n.env, &out, &problems
	began := time.Now()
	if err := cmd.Run(); err != nil {
		n.t.Fatalf("rabbitmq.sh %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	n.t.Logf("rabbitmq.sh %s: %v", strings.Join(args, " "), time.Since(began).Round(time.Millisecond))
	return out.String()
}

// url is where the node with that index listens.
func (n *nodes) url(i int) string {
	return "amqp://guest:guest@127.0.0.1:" + itoa(n.port+i) + "/"
}
