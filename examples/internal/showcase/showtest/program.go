package showtest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

// programVariable makes the test binary the program that it tests.
const programVariable = "SHOWTEST_PROGRAM"

// Main runs the tests of an example and is all that its TestMain calls. In the processes
// that [Run] starts it calls the example's main function instead, so that the program need
// not be built separately.
func Main(m *testing.M, program func()) {
	if os.Getenv(programVariable) != "" {
		program()
		return
	}
	goleak.VerifyTestMain(m)
}

// checkProgram runs the example as a reader would.
func checkProgram(t *testing.T, name string) {
	t.Helper()
	stdout, stderr, code := runProgram(t, "")
	if code != 0 || stderr != "" {
		t.Errorf("exit code %d, standard error: %s", code, stderr)
	}
	if !strings.HasPrefix(stdout, "trace ") || !strings.Contains(stdout, "\nLook at ") {
		t.Errorf("standard output:\n%s", stdout)
	}

	stdout, stderr, code = runProgram(t, "amqp://guest:secret@127.0.0.1:1/")
	if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 ||
		!strings.HasPrefix(stderr, name+": ") || strings.Contains(stderr, "secret") {
		t.Errorf("without a broker: exit code %d, standard output %q, standard error %q", code, stdout, stderr)
	}

	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "| ["+name+"]("+name+") |") {
		t.Error("the example has no line in README.md")
	}
}

// runProgram runs the program with a broker's URL, or without one.
func runProgram(t *testing.T, url string) (stdout, stderr string, code int) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path) //nolint:gosec // this test binary
	cmd.Env = append(os.Environ(), programVariable+"=1", showcase.BrokerVariable+"="+url)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
