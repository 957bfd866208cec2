package integration_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// The servers that the same tests run on besides the in-process ones.
const (
	amqpVariable  = "MQTRACE_AMQP_URL"
	redisVariable = "MQTRACE_REDIS_ADDR"
)

func TestMain(m *testing.M) {
	// A developer's telemetry variables must not affect the tests.
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			must(os.Unsetenv(name))
		}
	}
	// Spans are looked at as soon as they have been exported.
	must(os.Setenv("OTEL_BSP_SCHEDULE_DELAY", "20"))
	// Parallel tests mostly wait for other processes.
	must(flag.Set("test.parallel", "8"))
	redis.SetLogger(redisLogger{}) // the errors that tests cause are returned to them

	code := m.Run()
	httpClient.CloseIdleConnections()
	removeBinary()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

type redisLogger struct{}

func (redisLogger) Printf(context.Context, string, ...any) {}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
