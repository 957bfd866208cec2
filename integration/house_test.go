package integration_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/mqtrace/mqtrace/"

// What a package of ours may not link, because a user of it would link it too, or
// because the packages would grow together.
var forbidden = map[string][]string{
	"carrier":               {"amqp091-go", "asynq", "redis", "otel/sdk", "exporters", module},
	"internal/headers":      {"amqp091-go", "asynq", "redis", "otel/sdk", "exporters", module},
	"internal/messaging":    {"amqp091-go", "asynq", "redis", "otel/sdk", "exporters", module + "amqptrace", module + "asynqtrace", module + "internal/amqpbroker", module + "internal/traceview"},
	"amqptrace":             {"asynq", "redis", "otel/sdk", "otelslog", "exporters", "protobuf", "grpc", module + "internal/amqpbroker", module + "internal/traceview"},
	"asynqtrace":            {"amqp091-go", "otel/sdk", "otelslog", "exporters", "grpc", module + "internal/amqpbroker", module + "internal/traceview"},
	"asynqtrace/asynqredis": {"amqp091-go", "otel", module},
	"internal/amqphistory":  {"asynq", "redis", "otel", module},
	"internal/amqpbroker":   {"amqp091-go", "otel", "redis", module},
	"internal/traceview":    {"amqp091-go", "asynq", "redis", "otel/sdk", module + "amqptrace", module + "asynqtrace", module + "internal/amqpbroker", module + "internal/messaging"},
}

func TestArrowsOnlyFall(t *testing.T) {
	for pkg, words := range forbidden {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		deps := strings.Fields(string(out))
		if !slices.Contains(deps, module+pkg) {
			t.Errorf("go list does not know %s: %s", pkg, out)
		}
		for _, dep := range deps {
			if dep == module+pkg || pkg == "carrier" && dep == module+"internal/headers" {
				continue
			}
			for _, word := range words {
				if strings.Contains(dep, word) {
					t.Errorf("%s links %s", pkg, dep)
				}
			}
		}
	}
}
