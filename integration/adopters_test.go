//go:build release

package integration_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The go.mod and the program of an existing service, with versions older than those we
// could require. The %s are go-redis's and OpenTelemetry's.
const (
	serviceModule = `module example.com/service

go 1.25.0

require (
	github.com/redis/go-redis/v9 %[1]s
	go.opentelemetry.io/otel %[2]s
	go.opentelemetry.io/otel/metric %[2]s
	go.opentelemetry.io/otel/trace %[2]s
	golang.org/x/net v0.32.0
	google.golang.org/grpc v1.70.0
	google.golang.org/protobuf v1.35.2
)
`
	serviceProgram = `package main

import (
	_ "github.com/redis/go-redis/v9"
	_ "go.opentelemetry.io/otel"
	_ "go.opentelemetry.io/otel/metric"
	_ "go.opentelemetry.io/otel/trace"
	_ "golang.org/x/net/http2"
	_ "google.golang.org/grpc"
	_ "google.golang.org/protobuf/proto"
)

func main() {}
`
)

// Services have different versions of OpenTelemetry.
var scenarios = []struct {
	name, otel string
	sdk        bool // in the same version
}{
	{"the API", "v1.45.0", false},
	{"the API and the SDK", "v1.45.0", true},
	{"an older API", "v1.38.0", false},
}

// A change is what happens to a module in the build of a service because it imports us.
type change struct {
	module, effect, reason string
	bySDK                  bool // already so if the service has the SDK
}

const (
	added    = "added"
	linked   = "linked" // was in the module graph only
	raisedTo = "raised to "
	unlinked = ", not linked" // changed in the module graph only
)

// Our go.mod files also have what our tests require, so a service gets that too.
var forTests = []change{
	{"go.opentelemetry.io/otel/sdk", raisedTo + "v1.45.0" + unlinked, "tests", true},
	{"go.opentelemetry.io/otel/sdk/metric", raisedTo + "v1.45.0" + unlinked, "tests", true},
	{"go.uber.org/goleak", added + unlinked, "tests", true},
	{"golang.org/x/sys", raisedTo + "v0.47.0", "the SDK, for tests", true},
}

// What a service with an older OpenTelemetry gets.
var forAPI = []change{
	{"go.opentelemetry.io/otel", raisedTo + "v1.45.0", "the lowest that works", false},
	{"go.opentelemetry.io/otel/metric", raisedTo + "v1.45.0", "the lowest that works", false},
	{"go.opentelemetry.io/otel/trace", raisedTo + "v1.45.0", "the lowest that works", false},
	{"go.opentelemetry.io/auto/sdk", raisedTo + "v1.2.1", "OpenTelemetry", false},
	{"github.com/go-logr/logr", raisedTo + "v1.4.4", "OpenTelemetry", false},
	{"github.com/rogpeppe/go-internal", raisedTo + "v1.14.1" + unlinked, "OpenTelemetry's tests", false},
}

// What a service gets with each package. asynq 0.26 requires newer versions than the
// service has, among them its go-redis.
var adopters = []struct {
	pkg, redis string
	changes    []change
}{
	{"carrier", "v9.7.0", []change{
		{"github.com/mqtrace/mqtrace", added, "the package", false},
	}},
	{"amqptrace", "v9.7.0", []change{
		{"github.com/mqtrace/mqtrace/amqptrace", added, "the package", false},
		{"github.com/mqtrace/mqtrace", added, "carrier", false},
		{"github.com/rabbitmq/amqp091-go", added, "the host", false},
	}},
	{"asynqtrace", "v9.14.1", []change{
		{"github.com/mqtrace/mqtrace/asynqtrace", added, "the package", false},
		{"github.com/mqtrace/mqtrace", added, "carrier", false},
		{"github.com/hibiken/asynq", added, "the host", false},
		{"github.com/google/uuid", linked, "asynq", true},
		{"github.com/robfig/cron/v3", added, "asynq", false},
		{"github.com/spf13/cast", added, "asynq", false},
		{"golang.org/x/time", added, "asynq", false},
		{"google.golang.org/protobuf", raisedTo + "v1.36.10", "asynq", false},
		{"github.com/frankban/quicktest", added + unlinked, "cast's tests", false},
		{"github.com/alicebob/miniredis/v2", added + unlinked, "tests", false},
		{"github.com/yuin/gopher-lua", added + unlinked, "miniredis", false},
	}},
}

// A service that imports one of our packages gets the package, the host and nothing else,
// compared with its build without us. The test fails if neither the module cache nor a
// proxy has the service's versions.
func TestAdoptersGetNothingElse(t *testing.T) {
	for _, a := range adopters {
		for _, s := range scenarios {
			t.Run(a.pkg+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				want := slices.Concat(a.changes, forTests)
				if s.otel != "v1.45.0" {
					want = append(want, forAPI...)
				}
				if s.sdk {
					want = slices.DeleteFunc(want, func(c change) bool { return c.bySDK })
				}
				before := newBuild(t, a.redis, s.otel, s.sdk, "")
				checkChanges(t, newBuild(t, a.redis, s.otel, s.sdk, a.pkg).since(before), want)
			})
		}
	}
}

func checkChanges(t *testing.T, got map[string]string, want []change) {
	t.Helper()
	for _, c := range want {
		if got[c.module] != c.effect {
			t.Errorf("%s is %q, want %q for %s", c.module, got[c.module], c.effect, c.reason)
		}
		delete(got, c.module)
	}
	for _, path := range slices.Sorted(maps.Keys(got)) {
		t.Errorf("%s is %s, which the table does not have", path, got[path])
	}
}

// A build is what a service consists of.
type build struct {
	versions map[string]string // of the modules in the graph
	linked   map[string]bool   // the modules whose packages are in the program
}

// newBuild returns the build of a service that imports a package of ours, or none.
func newBuild(t *testing.T, redis, otel string, sdk bool, pkg string) build {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	mod, program := fmt.Sprintf(serviceModule, redis, otel), serviceProgram
	if sdk {
		mod += "require go.opentelemetry.io/otel/sdk " + otel + "\n"
		program = strings.Replace(program, "import (", `import ( _ "go.opentelemetry.io/otel/sdk/trace"; `, 1)
	}
	if pkg != "" {
		for _, dir := range []string{"", "/amqptrace", "/asynqtrace"} { // they may not be released yet
			mod += fmt.Sprintf("replace %s%s => %s%s\n", strings.TrimSuffix(module, "/"), dir, root, dir)
		}
		program = strings.Replace(program, "import (", `import ( _ "`+module+pkg+`"; `, 1)
	}
	s := goCommand{t, t.TempDir()}
	s.write("go.mod", mod)
	s.write("main.go", program)
	s.run("mod", "tidy")
	b := build{versions: make(map[string]string), linked: make(map[string]bool)}
	for _, line := range s.run("list", "-m", "-f", "{{.Path}} {{.Version}}", "all") {
		path, version, _ := strings.Cut(line, " ")
		b.versions[path] = version
	}
	for _, path := range s.run("list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".") {
		b.linked[path] = true
	}
	return b
}

// since returns what has happened to the modules of b. Modules that have only left the
// graph do not matter.
func (b build) since(before build) map[string]string {
	changes := make(map[string]string)
	for path, version := range b.versions {
		var effect string
		switch old, known := before.versions[path]; {
		case !known:
			effect = added
		case old != version:
			effect = raisedTo + version
		case b.linked[path] != before.linked[path]:
			effect = linked
		default:
			continue
		}
		if !b.linked[path] {
			effect += unlinked
		}
		changes[path] = effect
	}
	return changes
}

// goCommand runs the go command in a module outside the workspace, for one system, so that
// the result is the same on every machine.
type goCommand struct {
	*testing.T

	dir string
}

func (g goCommand) write(name, text string) {
	g.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
		g.Fatal(err)
	}
}

func (g goCommand) run(args ...string) (lines []string) {
	g.Helper()
	cmd := exec.CommandContext(g.Context(), "go", args...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		g.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
