// Package interop tests amqptrace with RabbitMQ clients in other languages and protocols,
// and on the routes that a message can take through RabbitMQ. What survives of a trace is
// in tables, which the tests print, tables_test.go expects by RabbitMQ release, and
// docs/interop.md shows.
//
// The part with Node's amqplib and OpenTelemetry's instrumentation for it needs
// Node.js 20, npm and a RabbitMQ:
//
//	make interop-node
//
// The whole also starts a RabbitMQ node with plugins, by integration/rabbitmq.sh, and needs
// Debian's python3-pika:
//
//	make interop
package interop
