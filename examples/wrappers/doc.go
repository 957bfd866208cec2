// Package wrappers contains the adapters for libraries around amqp091-go that
// docs/wrappers.md shows, and the test of those without a module of their own.
package wrappers
