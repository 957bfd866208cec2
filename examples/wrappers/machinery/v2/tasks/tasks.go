// Package tasks stands for github.com/RichardKnop/machinery/v2/tasks: the part of it that
// the adapter uses, with the same signatures.
package tasks

import "context"

// Headers are the headers of a task.
type Headers map[string]any

// Arg is an argument of a task.
type Arg struct {
	Type  string `json:"Type"`
	Value any    `json:"Value"`
}

// Signature is a call of a task.
type Signature struct {
	UUID       string       `json:"UUID"`
	Name       string       `json:"Name"`
	RoutingKey string       `json:"RoutingKey"`
	Args       []Arg        `json:"Args"`
	Headers    Headers      `json:"Headers"`
	RetryCount int          `json:"RetryCount"`
	OnSuccess  []*Signature `json:"OnSuccess"`
	OnError    []*Signature `json:"OnError"`
}

type signatureKey struct{}

// WithSignature returns a context of a task. The real package does this inside.
func WithSignature(ctx context.Context, s *Signature) context.Context {
	return context.WithValue(ctx, signatureKey{}, s)
}

// SignatureFromContext returns the signature of the task that ctx belongs to.
func SignatureFromContext(ctx context.Context) *Signature {
	s, _ := ctx.Value(signatureKey{}).(*Signature)
	return s
}
