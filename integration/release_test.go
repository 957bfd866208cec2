//go:build release

package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A clone is a repository with this working tree, committed or not.
type clone struct {
	*testing.T

	dir string
}

func newClone(t *testing.T) clone {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	c := clone{t, t.TempDir()}
	c.must("git", "init", "-q")
	c.must("git", "--work-tree="+root, "add", "-A")
	c.must("git", "commit", "-q", "-m", "Everything")
	c.must("git", "reset", "-q", "--hard")
	return c
}

func (c clone) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(c.Context(), name, args...)
	cmd.Dir = c.dir
	// No network, no developer's settings, and not the repository of a git hook that runs
	// the tests.
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "GIT_") })
	cmd.Env = append(env, "GOPROXY=off", "GOFLAGS=-mod=readonly", "GOWORK=",
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com",
		"GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c clone) must(name string, args ...string) string {
	c.Helper()
	out, err := c.run(name, args...)
	if err != nil {
		c.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func TestRelease(t *testing.T) {
	t.Parallel()
	const script = "integration/release.sh"
	c := newClone(t)
	want := []string{
		"adapters/watermilltrace/v0.99.0",
		"amqptrace/v0.99.0", "asynqtrace/v0.99.0", "auto/v0.99.0", "cmd/v0.99.0", "examples/v0.99.0",
		"integration/v0.99.0", "internal/traceview/v0.99.0", "v0.99.0",
	}
	before := c.must("git", "rev-parse", "HEAD")

	out := c.must(script, "v0.99.0")
	for _, line := range append([]string{"+const Version = \"0.99.0\"", "+\tgithub.com/mqtrace/mqtrace v0.99.0 => ./"}, want...) {
		if !strings.Contains(out, line) {
			t.Errorf("what would be done lacks %q:\n%s", line, out)
		}
	}
	if c.must("git", "rev-parse", "HEAD") != before || c.must("git", "status", "--porcelain")+c.must("git", "tag") != "" {
		t.Error("the dry run changed something")
	}

	for _, version := range []string{"", "0.99.0", "v0.99", "v0.99.0+1", "v0.099.0", "v2.0.0"} {
		if out, err := c.run(script, "-do", version); err == nil {
			t.Errorf("%q is released: %s", version, out)
		}
	}
	scope := filepath.Join(c.dir, "internal/messaging/scope.go")
	text, err := os.ReadFile(scope)
	if err != nil {
		t.Fatal(err)
	}
	c.write(scope, string(text)+"\n")
	if out, err := c.run(script, "-do", "v0.99.0"); err == nil {
		t.Errorf("a dirty tree is released: %s", out)
	}
	c.write(scope, string(text))

	lines := strings.Split(strings.TrimSpace(c.must(script, "-do", "v0.99.0")), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "git push ") || !strings.HasSuffix(last, " auto/v0.99.0") {
		t.Errorf("the last line is %q", last)
	}
	if tags := strings.Fields(c.must("git", "tag", "--points-at", "HEAD")); !slices.Equal(tags, want) {
		t.Errorf("tags %v, want %v", tags, want)
	}
	if c.must("git", "rev-parse", "HEAD~") != before || c.must("git", "status", "--porcelain") != "" {
		t.Error("want one commit and a clean tree")
	}
	if version := checkModuleFiles(t, c.dir); version != "v0.99.0" {
		t.Errorf("modules require each other in %s", version)
	}
	if out, err := c.run("git", "grep", "-E", module+"?[^ ]* v0.0.0", "--", "*go.mod", "go.work"); err == nil {
		t.Errorf("left behind:\n%s", out)
	}
	// The workspace finds the modules although they are not published.
	c.must("go", "build", "./amqptrace")
	c.must("go", "list", "-deps", "work")

	if out, err := c.run(script, "v0.99.0"); err == nil || !strings.Contains(out, "exists") {
		t.Errorf("released twice: %s", out)
	}
}

func (c clone) write(path, text string) {
	c.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}
