// Package amqpbroker holds tests of internal/amqpbroker through amqp091-go, the client that
// users have. Most of them run on the in-process broker and, if MQTRACE_AMQP_URL is set, on
// RabbitMQ too, so that both are held to the same behaviour; the others test controls that
// only the in-process broker has.
package amqpbroker
