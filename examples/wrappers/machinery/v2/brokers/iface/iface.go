// Package iface stands for github.com/RichardKnop/machinery/v2/brokers/iface: the methods
// that the adapter uses, with the same signatures.
package iface

import (
	"context"

	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/config"
	"github.com/mqtrace/mqtrace/examples/wrappers/machinery/v2/tasks"
)

// Broker transports tasks.
type Broker interface {
	GetConfig() *config.Config
	StartConsuming(consumerTag string, concurrency int, p TaskProcessor) (bool, error)
	Publish(ctx context.Context, task *tasks.Signature) error
	AdjustRoutingKey(s *tasks.Signature)
}

// TaskProcessor is a worker.
type TaskProcessor interface {
	Process(signature *tasks.Signature) error
	CustomQueue() string
}
