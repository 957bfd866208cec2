// Package amqpbroker is an AMQP 0-9-1 broker inside the process, for demos and
// for tests that have no RabbitMQ at hand.
//
//	b, err := amqpbroker.Start()
//	...
//	defer b.Close()
//	conn, err := amqp.Dial(b.URL())
//
// It answers as RabbitMQ does, extensions included: confirms, dead-lettering with
// x-death, TTLs, length limits, priorities, quorum queues' delivery counts, single
// active consumers, direct reply-to. The conformance suite runs the same assertions
// against it and against RabbitMQ: frame by frame in this package, with a client in
// integration/amqpbroker.
//
// It is no message broker to run a service on. Nothing is kept on disk, there is
// one virtual host, one user and one node, and it listens on loopback only unless
// [AllowNonLoopback] says otherwise. It has no streams, plugins, policies, TLS or
// management interface.
//
// # Where it differs from RabbitMQ
//
//   - Nothing is asynchronous: what a method does is done when the next one on any
//     channel is read, where RabbitMQ's queues may take a moment.
//   - Quorum queues are a queue with a delivery count. Durability and delivery modes
//     are remembered and mean nothing.
//   - A direct reply to a client that has 1 MiB of deliveries unread is dropped.
//   - Where RabbitMQ 3.10 and 4 differ it does as 4 at the level of frames and in
//     tuning a connection, and as 3.10 in what is queued and in x-death; the scenarios
//     in testdata/wire say which is which. Options of RabbitMQ 4 alone are not there.
//
// # Reading the code
//
// A connection (connection.go) begins with a handshake (handshake.go) and has a
// goroutine that reads (reader.go) and one that writes (writer.go). A channel
// (channel.go) carries out methods: those of the classes queue (queuemethods.go)
// and exchange (exchangemethods.go), and of class basic publishing with its confirms
// (publish.go), consuming and fetching (consume.go) and settling (settle.go), at once
// or in a transaction (transaction.go). An exchange (exchange.go, topic.go) routes
// messages (message.go) to queues; a queue (queue.go, arguments.go, deque.go) keeps
// them for its consumers (consumer.go), and what leaves it unconsumed may become a
// dead letter (deadletter.go). The bytes are the business of wire.go, table.go and
// method.go, exceptions that of errors.go. What happens by itself when its time has
// come, clock.go calls. The copies that the firehose makes are made by firehose.go.
// knobs.go is for tests.
//
// One mutex, Broker.mu, guards all state that connections share. Nothing that may
// take long happens under it: what goes out to a peer is appended to the peer's
// outbox, and a consumer whose outbox is full is passed over until the peer has read.
// An outbox has a mutex of its own, which is only ever taken last.
package amqpbroker
