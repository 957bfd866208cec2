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
//   - Nothing is asynchronous: what a method does is done when the next one on any
//     channel is read, where RabbitMQ's queues may take a moment.
//   - Quorum queues are a queue with counts and a delivery limit. Durability and delivery
//     modes are stored and have no effect. Neither do the arguments for consumer timeouts,
//     delayed retries, at-least-once dead-lettering and queue placement.
//   - A direct reply to a client that has 1 MiB of deliveries unread is dropped.
//
// # Where older releases of RabbitMQ differ
//
// In quorum queues:
//
//   - In 3.10 and 4.0 x-delivery-count counts all that came back, nack and recover
//     included, and there is no x-acquired-count. 3.10 says 0 to a first basic.get.
//   - The limit goes by x-delivery-count. In 3.10 a queue that was given none has none.
//   - 3.10 and 4.0 put what comes back to a queue without a limit behind what is there.
//   - 3.10 has no priorities, 4.0 has two.
//   - 3.10 and 4.0 refuse consumers of a channel with a prefetch for all of them together.
//
// In what is delivered:
//
//   - 3.10 delivers headers and the expiration as they were sent. Since 4.0 headers are
//     sorted and repeated ones merged, and the expiration has no zeros before it.
//   - 3.10 has no x-last-death headers, takes x-death from the client for a message's
//     history, does not keep deaths in order, and drops CC where the queue has a
//     dead-letter routing key.
//   - In 3.10 and 4.0 no dead letter is marked as redelivered in a classic queue.
//   - In a headers exchange 3.10 compares numbers of all types by value, times included.
//
// And besides:
//
//   - 3.10 and 4.0 know a prefetch for all consumers of a channel together, which 4.3
//     takes for one of each.
//   - 3.10 and 4.0 do not route direct replies: one that is mandatory is returned and yet
//     delivered, and a transaction does not hold it back.
//   - 3.10 closes the connection of who declares an exchange of an unknown type.
//   - 3.10 does not name the type of a queue that was declared without one.
//   - 3.10 and 4.0 take a frame-max from 4096 octets on, and a body that is longer than was
//     said.
//
// # Reading the code
//
// A connection (connection.go) begins with a handshake (handshake.go) and has a
// goroutine that reads (reader.go) and one that writes (writer.go). A channel
// (channel.go) carries out methods: those of the classes queue (queuemethods.go)
// and exchange (exchangemethods.go), and of class basic publishing with its confirms
// (publish.go), consuming and fetching (consume.go) and settling (settle.go), at once
// or in a transaction (transaction.go). An exchange (exchange.go, topic.go) routes
// messages (message.go) to queues, or to who waits for a direct reply (reply.go). A queue
// (queue.go, ttl.go, deque.go) has its traits (traits.go) from the arguments that it was
// declared with (arguments.go, equivalence.go). It keeps messages as entries (entry.go)
// for its consumers (consumer.go), and what leaves it unconsumed may become a dead letter
// (deadletter.go). The bytes are the business of wire.go, table.go and method.go,
// exceptions that of errors.go. What happens by itself when its time has come, clock.go
// calls. The copies that the firehose makes are made by firehose.go. knobs.go,
// testclock.go and inspect.go are for tests.
//
// One mutex, Broker.mu, guards all state that connections share. Nothing that may
// take long happens under it: what goes out to a peer is appended to the peer's
// outbox, and a consumer whose outbox is full is passed over until the peer has read.
// An outbox has a mutex of its own, which is only ever taken last.
package amqpbroker
