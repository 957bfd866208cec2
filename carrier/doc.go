// Package carrier moves OpenTelemetry context into and out of message headers.
//
// It covers three shapes:
//
//   - [Table], a map[string]any: the headers of an AMQP 0-9-1 message
//     (amqp091-go's amqp.Table), or the values of an entry of a Redis stream.
//   - [Headers], a map[string]string: the headers of an asynq task, or any other
//     string map.
//   - [InjectText] and [ExtractText], a JSON object in a string: a column of
//     an outbox table, or the metadata of a job.
//
// The first two write with Inject and read with Extract:
//
//	msg.Headers = amqp.Table(carrier.Table(msg.Headers).Inject(ctx, propagator))
//	ctx = carrier.Table(d.Headers).Extract(ctx, propagator)
//
// Inject never writes to its receiver. An amqp.Publishing is passed by value but shares its
// header map with every copy of it, so an instrumentation that writes to the map changes
// messages that other goroutines are sending.
//
// [Table] and [Headers] are also a [propagation.TextMapCarrier], for code that
// holds a propagator and wants a carrier.
//
// # What is read
//
// Header keys match in any letter case, and spaces and tabs around a value are
// trimmed, as W3C Trace Context requires for HTTP. If two keys differ only in
// letter case and their values differ, neither is used, since there is no way to
// know which one is stale. Values that are neither a string nor a []byte are
// skipped.
//
// If a message has no traceparent, x-opt-traceparent and x-opt-tracestate are
// read, and if it has no baggage, x-opt-baggage: this is how RabbitMQ 4 passes the
// annotations of an AMQP 1.0 message to an AMQP 0-9-1 consumer.
//
// Baggage beyond the limits of [W3C Baggage], 64 members or 8192 bytes, is cut
// after the last member that fits, when written and when read.
//
// The package depends on OpenTelemetry's propagation API and on no broker.
//
// [W3C Baggage]: https://www.w3.org/TR/baggage/#limits
package carrier
