// Package amqptest is for the tests of programs that use RabbitMQ: an AMQP 0-9-1 broker
// within the test's process, and a recorder that reads the spans of a message.
//
//	b := amqptest.Start(t)
//	b.DeclareQueue("billing", nil)
//	b.DeclareExchange("orders", "topic")
//	b.BindQueue("billing", "order.*", "orders")
//	spans := amqptest.Record(t)
//	spans.SetGlobal()
//
//	… // the program, with b.URL()
//
//	spans.WantMessage("o-1", "publish orders acked", "process billing ack")
//
// WantMessage waits for the spans, so that a test need not know when the consumer has
// finished. It checks which spans there are, what became of the message, and that all are
// in one trace.
//
// # The broker
//
// A [Broker] answers as RabbitMQ 4.3 does: exchanges of all types, confirms, returns,
// transactions, dead-lettering with x-death, TTLs, length limits, priorities, quorum queues
// with their counts and delivery limits, single active consumers, direct reply-to. One
// suite of conformance tests runs against both, frame by frame and through amqp091-go;
// please report any difference that the next section does not list. Its clock can be moved
// forward, so that a test need not wait for a TTL, and it does on request what is hard to
// provoke in RabbitMQ: drop connections, refuse or delay confirms, raise a resource alarm.
//
// # What it does not do
//
// It has one node, one virtual host ("/") and one user (guest, password guest), and listens
// on 127.0.0.1. It has no streams, plugins, policies, TLS, management interface, AMQP 1.0
// or MQTT. Nothing is kept on disk: durability and delivery modes have no effect, and
// messages do not survive a restart. Quorum queues have one replica. Nothing is
// asynchronous: the effect of a method is complete before the next one on any channel is
// read. The arguments for consumer timeouts, delayed retries and at-least-once
// dead-lettering are accepted and have no effect. Messages are held in the test's memory,
// bounded only by the limits of the queues. Use RabbitMQ to measure throughput, and to try
// what happens when a node fails.
//
// # In a build
//
// This package imports OpenTelemetry's SDK, which amqptrace does not. Import it in tests only:
// a program then links neither the SDK nor the broker.
package amqptest
