// Package examples_test runs the examples as a reader does.
package examples_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The examples that are played on the stage of package showcase.
var names = []string{"confirm", "batch", "rpc", "dead-letter", "worker-pool", "outbox", "in-house-client"}

// programs builds them and returns where they are.
func programs(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	args := []string{"build", "-ldflags=-w", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./"+name)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// run runs a program with a broker's URL, or with none.
func run(t *testing.T, path, url string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = append(os.Environ(), showcase.BrokerVariable+"="+url)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestProgramsPrintTheirTraces(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := programs(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			stdout, stderr, code := run(t, path, "")
			if code != 0 || stderr != "" {
				t.Errorf("exit code %d, standard error: %s", code, stderr)
			}
			if !strings.HasPrefix(stdout, "trace ") || !strings.Contains(stdout, "\nLook at ") {
				t.Errorf("standard output:\n%s", stdout)
			}
			if !strings.Contains(string(readme), "| ["+name+"]("+name+") |") {
				t.Error("it has no line in README.md")
			}

			stdout, stderr, code = run(t, path, "amqp://guest:secret@127.0.0.1:1/")
			if code != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 ||
				!strings.HasPrefix(stderr, name+": ") || strings.Contains(stderr, "secret") {
				t.Errorf("without a broker: exit code %d, standard output %q, standard error %q", code, stdout, stderr)
			}
		})
	}
}
