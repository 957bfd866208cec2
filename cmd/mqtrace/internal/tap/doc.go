// Package tap turns RabbitMQ's firehose into spans: where the broker routed a message, and
// which queue delivered it.
//
// [Open] binds a new queue to the exchange amq.rabbitmq.trace, [Tap.On] reports whether the
// firehose is on, and [Tap.Run] creates the spans. A [Switch] turns the firehose on and
// off. A [Processor] exports with bounded memory and counts what is lost.
//
// https://www.rabbitmq.com/docs/firehose
package tap
