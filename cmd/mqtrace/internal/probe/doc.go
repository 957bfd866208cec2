// Package probe sends a marked message through a broker and reports what happened to its
// trace context.
//
// A [Mark] is the context: valid values that careless intermediaries break. [AMQP] sends it
// through an exchange of RabbitMQ and waits for it at a queue, [Asynq] leaves it in a queue
// of asynq and reads it back. Both answer with a [Result].
//
// A probe leaves a queue as it found it, and gives up rather than move a message that is
// not its own: see [AMQP].
package probe
