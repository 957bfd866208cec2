// Package interop holds tests of amqptrace beside clients of RabbitMQ in other
// languages and protocols, and on the ways that a message can take through RabbitMQ.
// What of a trace survives is in tables that the tests print, that tables_test.go
// expects and that docs/interop.md shows.
//
// The part with Node's amqplib and OpenTelemetry's instrumentation for it needs
// Node.js 20, npm and a RabbitMQ:
//
//	make interop-node
//
// All of it starts a RabbitMQ node of its own, with plugins, from Debian's
// rabbitmq-server, and needs python3-pika of Debian's too:
//
//	make interop
package interop
