// Package amqpbroker holds tests of internal/amqpbroker through amqp091-go, the client
// that users have. Most of them run on the in-process broker and, where MQTRACE_AMQP_URL
// is set, on RabbitMQ too, so that both are held to the same behaviour; the others are of
// what only the in-process broker can be told to do.
package amqpbroker
