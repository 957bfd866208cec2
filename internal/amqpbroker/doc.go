// Package amqpbroker is an in-process AMQP 0-9-1 broker, for demos and for tests without
// RabbitMQ.
//
//	b, err := amqpbroker.Start()
//	...
//	defer b.Close()
//	conn, err := amqp.Dial(b.URL())
//
// It answers as RabbitMQ 4.3 does, extensions included: confirms, dead-lettering with
// x-death, TTLs, length limits, priorities, quorum queues with their counts and delivery
// limits, single active consumers, direct reply-to. The conformance suite runs the same
// assertions against it and against RabbitMQ 4.3.6, 4.0.5 and 3.10.8: frame by frame in
// this package, with a client in integration/amqpbroker. The suite records where the
// releases differ.
//
// It is not a broker for production. Nothing is kept on disk, there is one virtual host,
// one user and one node, and it listens on loopback only unless [AllowNonLoopback] says
// otherwise. It has no streams, plugins, policies, TLS, management interface or AMQP 1.0.
//
// # Where it differs from RabbitMQ
//
//   - Nothing is asynchronous: a method has taken full effect when the next one on any
//     channel is read, whereas RabbitMQ's queues may take a moment.
//   - A quorum queue is a single queue with counts and a delivery limit. Durability,
//     delivery modes, and the arguments for consumer timeouts, delayed retries,
//     at-least-once dead-lettering and queue placement are stored and have no effect.
//   - A direct reply to a client with 1 MiB of unread deliveries is dropped.
//
// # Where older releases of RabbitMQ differ
//
// In quorum queues:
//
//   - In 3.10 and 4.0, x-delivery-count counts every return, nack and recover included, and
//     there is no x-acquired-count. 3.10 reports 0 on a first basic.get.
//   - The limit applies to x-delivery-count. In 3.10, a queue declared without a limit has
//     none.
//   - 3.10 and 4.0 put a message that returns to a queue without a limit at the back of the
//     queue.
//   - 3.10 has no priorities, 4.0 has two.
//   - 3.10 and 4.0 refuse consumers on a channel whose prefetch is shared by all its
//     consumers.
//
// In deliveries:
//
//   - 3.10 delivers headers and the expiration as they were sent. Since 4.0, headers are
//     sorted, repeated ones are merged, and the expiration has no leading zeros.
//   - 3.10 has no x-last-death headers, takes x-death from the client for a message's
//     history, does not keep deaths in order, and drops CC if the queue has a dead-letter
//     routing key.
//   - In 3.10 and 4.0, dead letters are not marked as redelivered in a classic queue.
//   - In a headers exchange, 3.10 compares numbers of all types by value, times included.
//
// Elsewhere:
//
//   - 3.10 and 4.0 support a prefetch shared by all consumers of a channel, which 4.3
//     applies to each of them.
//   - 3.10 and 4.0 do not route direct replies: a mandatory one is both returned and
//     delivered, and a transaction does not hold it back.
//   - 3.10 closes the connection of a client that declares an exchange of an unknown type.
//   - 3.10 does not name the type of a queue that was declared without one.
//   - 3.10 and 4.0 accept a frame-max of 4096 octets or more, and a body that is longer
//     than announced.
//
// # Reading the code
//
// A connection (connection.go) begins with a handshake (handshake.go) and has a goroutine
// that reads (reader.go) and one that writes (writer.go). A channel (channel.go) carries
// out methods of the classes queue (queuemethods.go) and exchange (exchangemethods.go), and
// of class basic: publishing with its confirms (publish.go), consuming and fetching
// (consume.go) and settling (settle.go), at once or in a transaction (transaction.go). An
// exchange (exchange.go, topic.go) routes messages (message.go) to queues, or to a channel
// that waits for a direct reply (reply.go). A queue (queue.go, ttl.go, deque.go) gets its
// traits (traits.go) from the arguments that it was declared with (arguments.go,
// equivalence.go). It keeps messages as entries (entry.go) for its consumers (consumer.go),
// and what leaves it unconsumed may become a dead letter (deadletter.go). Encoding and
// decoding are in wire.go, table.go and method.go, exceptions in errors.go, timers in
// clock.go, and the firehose in firehose.go. knobs.go, testclock.go and inspect.go are for
// tests.
//
// One mutex, Broker.mu, guards all state that connections share. Nothing that may take long
// happens under it: output for a peer is appended to the peer's outbox, and a consumer
// whose outbox is full is skipped until the peer has read. An outbox has its own mutex,
// which is always taken last.
package amqpbroker
