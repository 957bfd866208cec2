package amqptest_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// observer is a test whose failures are recorded.
type observer struct {
	*testing.T

	failures []string
}

func (o *observer) Errorf(format string, args ...any) {
	o.failures = append(o.failures, fmt.Sprintf(format, args...))
}

// Fatalf ends the call that it is made in, as a real test's does.
func (o *observer) Fatalf(format string, args ...any) {
	o.Errorf(format, args...)
	panic(failed{})
}

type failed struct{}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
