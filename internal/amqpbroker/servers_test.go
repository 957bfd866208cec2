package amqpbroker_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// serverVariable names a RabbitMQ to hold the broker against.
const serverVariable = "MQTRACE_AMQP_URL"

// eachServer runs f against the in-process broker, and against the real server
// where one is named. That one must answer: a suite that skips proves nothing.
func eachServer(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("amqpbroker", func(t *testing.T) { f(t, start(t).URL()) })
	if os.Getenv(serverVariable) != "" {
		t.Run("rabbitmq", func(t *testing.T) { f(t, realURL(t)) })
	}
}

func realURL(t *testing.T) string {
	t.Helper()
	url := os.Getenv(serverVariable)
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatalf("%s=%q does not answer: %v", serverVariable, url, err)
	}
	_ = conn.Close()
	return url
}

var uniqueNumber atomic.Int64

// unique is a name that nobody else on the server uses.
func unique(kind string) string {
	return fmt.Sprintf("mqtrace-test-%d-%d-%s", os.Getpid(), uniqueNumber.Add(1), kind)
}

// inProcess is the version of the in-process broker, which says none.
const inProcess = "in process"

// serverVersion is what the server says it is.
func serverVersion(t *testing.T, url string) string {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if version, ok := conn.Properties["version"].(string); ok {
		return version
	}
	return inProcess
}
