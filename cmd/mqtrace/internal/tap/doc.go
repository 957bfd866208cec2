// Package tap turns RabbitMQ's firehose into spans: where the broker routed a message, and
// to whom it delivered it.
//
// [Open] binds a queue of its own to the exchange amq.rabbitmq.trace, [Tap.On] reports
// whether anything comes from there, and [Tap.Run] makes the spans. A [Switch] turns
// the firehose on and off. [Processor] exports with nothing unbounded and nothing lost
// uncounted.
//
// https://www.rabbitmq.com/docs/firehose
package tap
