// Package interop holds tests of amqptrace beside clients of RabbitMQ in other
// languages and protocols, and on the ways that a message can take through RabbitMQ.
// What of a trace survives is in tables that the tests print, that tables_test.go
// expects, by release of RabbitMQ, and that docs/interop.md shows.
//
// The part with Node's amqplib and OpenTelemetry's instrumentation for it needs
// Node.js 20, npm and a RabbitMQ:
//
//	make interop-node
//
// All of it starts a RabbitMQ node of its own with plugins too, by
// integration/rabbitmq.sh, and needs Debian's python3-pika:
//
//	make interop
package interop
