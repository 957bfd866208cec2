// Package wrappers has adapters for libraries around amqp091-go, which docs/wrappers.md shows,
// and the test of those that have no module of their own.
package wrappers
