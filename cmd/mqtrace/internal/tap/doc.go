// Package tap makes spans of what RabbitMQ's firehose tells: where the broker routed a
// message to, and to whom it delivered it.
//
// [Open] binds a queue of its own to the exchange amq.rabbitmq.trace, [Tap.On] tells
// whether anything comes from there, and [Tap.Run] makes the spans. A [Switch] turns
// the firehose on and off. [Processor] exports with nothing unbounded and nothing lost
// uncounted.
//
// https://www.rabbitmq.com/docs/firehose
package tap
