package integration_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mqtrace/mqtrace/"

// Those of our modules that a module may import, tests included. The trace packages never
// depend on each other.
var below = map[string][]string{
	"":                   {},
	"amqptrace":          {""},
	"asynqtrace":         {""},
	"internal/traceview": {"", "amqptrace", "asynqtrace"},
	"cmd":                {"", "amqptrace", "asynqtrace", "internal/traceview"},
	"examples":           {"", "amqptrace", "asynqtrace", "internal/traceview"},
	"integration":        {"", "amqptrace", "asynqtrace", "internal/traceview", "examples"},
}

// What a package and those below it may not link, because users would link it too, or
// because it would couple packages. A package's row replaces its parent's.
var forbidden = map[string][]string{
	"carrier":                          {"amqp091-go", "asynq", "redis", "otel/sdk", "exporters", module},
	"internal/messaging":               {"amqp091-go", "asynq", "redis", "otel/sdk", "exporters", module + "internal/amqpbroker"},
	"internal/messaging/messagingtest": {"amqp091-go", "asynq", "redis", "exporters", module},
	"internal/amqphistory":             {"asynq", "redis", "otel", module},
	"internal/amqpbroker":              {"amqp091-go", "otel", "redis", module},
	"amqptrace":                        {"asynq", "redis", "otel/sdk", "otelslog", "exporters", "protobuf", "grpc", module + "internal/amqpbroker"},
	"amqptrace/amqptest":               {"asynq", "redis", "exporters", "protobuf", "grpc"}, // for tests: the SDK and the broker
	"asynqtrace":                       {"amqp091-go", "otel/sdk", "otelslog", "exporters", "grpc", module + "internal/amqpbroker"},
	"asynqtrace/asynqredis":            {"amqp091-go", "otel", module},
	"internal/traceview":               {"amqp091-go", "asynq", "redis", "otel/sdk", module + "amqptrace", module + "asynqtrace", module + "internal/amqpbroker", module + "internal/messaging"},
}

// A listedPackage is a package of the workspace, as go list prints it.
type listedPackage struct {
	ImportPath                         string
	Module                             struct{ Path string }
	Imports, TestImports, XTestImports []string
	Deps                               []string // of the package itself, without its tests
}

func (p listedPackage) path() string { return strings.TrimPrefix(p.ImportPath, module) }

func (p listedPackage) module() string {
	return strings.TrimSuffix(strings.TrimPrefix(p.Module.Path+"/", module), "/")
}

func listPackages(t *testing.T) map[string]listedPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Module,Imports,TestImports,XTestImports,Deps", "work")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, problems.String())
	}
	packages := make(map[string]listedPackage)
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p listedPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p
	}
	return packages
}

func TestModulesImportThoseBelow(t *testing.T) {
	packages := listPackages(t)
	seen := make(map[string]bool)
	for _, p := range packages {
		seen[p.module()] = true
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			i, ours := packages[imported]
			if ours && i.Module != p.Module && !slices.Contains(below[p.module()], i.module()) {
				t.Errorf("%s imports %s", p.path(), imported)
			}
		}
	}
	for m := range below {
		if !seen[m] {
			t.Errorf("go.work has no module %q", m)
		}
	}
}

func TestPackagesLinkNothingForbidden(t *testing.T) {
	packages := listPackages(t)
	for path := range forbidden {
		if _, ok := packages[module+path]; !ok {
			t.Errorf("go list does not know %s", path)
		}
	}
	for _, p := range packages {
		row := p.path()
		for forbidden[row] == nil && strings.Contains(row, "/") {
			row = row[:strings.LastIndex(row, "/")]
		}
		for _, word := range forbidden[row] {
			if i := slices.IndexFunc(p.Deps, func(dep string) bool { return strings.Contains(dep, word) }); i >= 0 {
				t.Errorf("%s links %s", p.path(), p.Deps[i])
			}
		}
	}
}
