// Package amqptrace makes RabbitMQ a transparent part of an OpenTelemetry trace,
// for programs that use [github.com/rabbitmq/amqp091-go].
//
// # Publish
//
// Wrap the channel once and publish as before:
//
//	pub := amqptrace.NewPublisher(ch)
//	err := pub.PublishWithContext(ctx, "orders", "order.created", false, false, msg)
//
// A [Publisher] has the channel's method signatures. Each call starts a PRODUCER span
// "publish orders" and puts its context, W3C traceparent, tracestate and baggage with the
// usual propagators, into a copy of msg.Headers.
//
// On a channel in confirm mode, [Publisher.PublishConfirmed] waits for the broker's answer,
// and [Publisher.PublishDeferred] with [Confirmation.Wait] does so for many messages in
// flight. Their spans cover the answer and record it as mqtrace.publish.outcome: acked,
// nacked, returned, closed, timeout, unconfirmed, or unknown if the confirmation may belong
// to another message. The errors are [ErrNacked], [ErrReturned], [ErrClosed], with the
// broker's reason, and [ErrNotConfirming].
//
// # Libraries around amqp091-go
//
// If a library or an in-house client stands between your code and the channel,
// [Publisher.StartPublish] and [Consumer.StartProcess] start the same spans around its calls,
// and the caller reports the outcome.
//
// # Consume
//
// A [Consumer] fits any loop:
//
//	cons := amqptrace.NewConsumer("billing")
//	for ctx, d := range cons.Deliveries(ctx, deliveries) { … }   // the span is the loop body
//	handle := cons.Handler(func(ctx context.Context, d amqp.Delivery) error { … })
//	batch := cons.BatchHandler(func(ctx context.Context, ds []amqp.Delivery) error { … })
//	d, ok, err := cons.Get(ctx, ch, false)                       // then handle(ctx, d)
//
// Each message gets a CONSUMER span "process billing". The message's creation
// context, which the publisher put there, is always linked. The parent is the span
// in the context that you pass, if there is one, else the creation context.
//
// A span that is started with the program and left in the consumer's context becomes the
// parent of every message, and all of them end up in one endless trace. So give
// [Consumer.Deliveries] and handlers a context without a span, unless you mean it. If
// messages of different traces have one parent, the consumer reports it once to
// OpenTelemetry's error handler (otel.SetErrorHandler). The first publish of a program that
// has set no propagator is reported there too. A span in the context that has ended is
// linked and does not become the parent.
//
// [WithRelation] starts a trace for each message instead, or for old ones only. The link to
// the creation context stays, and so does the baggage: the message's or, if it has none,
// the context's.
//
// The context of a publish can exempt its message: [WithoutTracing] starts no span,
// [WithoutPropagation] puts no trace context into the headers. [AskForNewTrace] asks the
// consumer to start a new trace.
//
// # Untrusted producers
//
// Anyone who can publish to a queue chooses a trace, a sampling decision and baggage. For
// producers that you do not trust, use
//
//	amqptrace.NewConsumer("inbox", amqptrace.WithRelation(amqptrace.NewTrace), amqptrace.WithBaggageKeys())
//
// which only links to their context.
//
// # Requests and replies
//
// A reply is a message like any other: published in the context of the request's
// handler it continues the caller's trace. Name the consumer of replies after the
// address that it consumes from, "amq.rabbitmq.reply-to" for direct reply-to; the
// address that the broker generates never gets into a span's name: it is
// amq.rabbitmq.reply-to.* on both sides. The correlation
// identifier is messaging.message.conversation_id on all spans.
//
// # Settlement
//
// The delivery that a handler or a loop receives has a wrapped Acknowledger, amqp091-go's
// own extension point, which sees d.Ack, d.Nack and d.Reject. The process span has the
// outcome as mqtrace.settlement: ack, nack, reject or requeue. It is missing if the handler
// returned before the message was settled, which may still happen. A nack or a reject
// without requeue gives the message up and makes the span an error with error.type
// "rejected"; a requeue does not, since the message will be tried again. A settlement that
// comes after the span has ended gets a span of its own, linked to it; [WithSettleSpans]
// gives each one a span.
//
// It is also missing for a consumer with autoAck, whose deliveries the broker settles.
//
// An ack(multiple) is recorded for the delivery that it was called on, and with
// [Consumer.BatchHandler] for the whole batch. Spans of earlier messages that it settles
// too have ended by then, without a settlement.
//
// Nothing is settled on the handler's behalf. Calls on the channel itself, such as ch.Ack,
// are not seen, and the wrapped Acknowledger is not an *amqp.Channel: code that asserts its
// type has to keep the channel.
//
// # Attempts
//
// mqtrace.attempt counts the deliveries of a message to its queue from 1. It adds up the
// message's deaths in this queue after a rejection or at the delivery limit (x-death), and,
// for a message marked as redelivered, the counts of a quorum queue (x-acquired-count from
// RabbitMQ 4.3 on, x-delivery-count before), or one further attempt if there are none.
//
// The number may be too low: a classic queue does not count, a quorum queue restarts its
// count for a message that comes back through a dead-letter exchange, and RabbitMQ 4 keeps
// the mark and the counts when it dead-letters a message. It is too high only for a message
// that a program has republished with the counts of a quorum queue, and that a classic queue
// then redelivers.
//
// A message that came through a dead-letter exchange has mqtrace.dead_letter.count and, for
// the latest eight pairs of queue and reason, .queues, .reasons, .counts and .times (of the
// first death there).
//
// # Tests
//
// Package amqptest runs an AMQP broker in the test's process and compares the spans of a
// message, one per line.
//
// # Metrics
//
// messaging.client.operation.duration (publish, get, and with WithSettleSpans settle) and
// messaging.process.duration in seconds, messaging.client.sent.messages,
// messaging.client.consumed.messages and, of this package,
// mqtrace.messages.without_context, which counts messages that came without a trace,
// mqtrace.messages.settled, by settlement, which shows requeues without traces, and with
// [WithQueueTime] mqtrace.queue_time in seconds. They do not depend on sampling. Their
// attributes are the operation, the exchange or queue, the server and error.type: never a
// routing key or a generated name. A delivery is counted as consumed once, even if a
// wrapper calls a handler again.
//
// # Errors
//
// Errors of handlers are returned unchanged, and so are the host's with one exception: on a
// channel that the broker has closed, the amqp.ErrClosed of Get, confirmed publishes and
// settlements is wrapped together with the broker's reason, an *amqp.Error for errors.As.
// Compare it by errors.Is, not by ==. On a span an error is the status description. Values of
// error.type are the name of the AMQP reply code (such as NOT_FOUND,
// AMQP_ and the number of an unknown one, and CHANNEL_ERROR if a channel is closed for an
// unknown reason), nacked, not_confirming, rejected, panic, context.Canceled,
// context.DeadlineExceeded, what an ErrorType method of the error returns, or else the Go
// type of the error. Malformed headers never fail a publish or a delivery: a message without a usable context
// gets a span without a link.
//
// Spans follow version 1.43 of OpenTelemetry's [semantic conventions]. All attributes, metrics
// and headers are listed in [docs/attributes.md].
//
// [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/messaging/rabbitmq/
// [docs/attributes.md]: https://github.com/mqtrace/mqtrace/blob/main/docs/attributes.md
package amqptrace
