// Package probe sends a marked message through a broker and says what became of the
// trace context that it carried.
//
// A [Mark] is the context: values that are valid and that careless middlemen break.
// [AMQP] sends it through an exchange of RabbitMQ and waits for it at a queue, [Asynq]
// leaves it in a queue of asynq and reads it back. Both answer with a [Result].
//
// A probe leaves a queue as it found it, and rather gives up than moves a message that
// is not its own: see [AMQP] for how.
package probe
