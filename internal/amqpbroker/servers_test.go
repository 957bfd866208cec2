package amqpbroker_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// serverVariable names a RabbitMQ to compare the broker with.
const serverVariable = "MQTRACE_AMQP_URL"

// eachServer runs f against the in-process broker, and against the real server if one is
// named. That server must answer: a suite that skips proves nothing.
func eachServer(t *testing.T, f func(t *testing.T, server string)) {
	t.Run("amqpbroker", func(t *testing.T) { f(t, start(t).URL()) })
	if os.Getenv(serverVariable) != "" {
		t.Run("rabbitmq", func(t *testing.T) { f(t, realURL(t)) })
	}
}

func realURL(t *testing.T) string {
	t.Helper()
	server := os.Getenv(serverVariable)
	connect(t, server) // fails the test if refused
	if serverVersion(t, server) == inProcess {
		t.Fatalf("the server that %s names does not say its version", serverVariable)
	}
	return server
}

var uniqueNumber atomic.Int64

// unique returns a name that is not in use on the server.
func unique(kind string) string {
	return fmt.Sprintf("mqtrace-test-%d-%d-%s", os.Getpid(), uniqueNumber.Add(1), kind)
}

// inProcess stands for the version of the in-process broker, which reports none.
const inProcess = "in process"

var versionProperty = regexp.MustCompile(`[{,]version:S:([^,}]+)`)

// serverVersion returns the version that the server reports.
func serverVersion(t *testing.T, server string) string {
	t.Helper()
	p := openPeer(t, parse(t, server), map[string]string{"bare": ""})
	defer p.sock.Close()
	p.write([]byte("AMQP\x00\x00\x09\x01"))
	start := p.expect("connection.start ")
	if m := versionProperty.FindStringSubmatch(start); m != nil {
		return m[1]
	}
	return inProcess
}

// serverRelease returns which of the releases the server is, or follows.
func serverRelease(t *testing.T, server string) string {
	t.Helper()
	version := serverVersion(t, server)
	if version == inProcess {
		return releases[len(releases)-1]
	}
	for _, release := range releases {
		if strings.HasPrefix(version, release+".") {
			return release
		}
	}
	t.Fatalf("nothing is recorded of RabbitMQ %s, only of %v", version, releases)
	return ""
}
