// Package messaging holds what amqptrace and asynqtrace have in common: their
// options, the rule that ties a message's span to its trace, and the start and
// end of an operation after OpenTelemetry's semantic conventions for messaging.
//
// It knows no broker. What is particular to one, its attributes and the types of
// its errors, stays in that broker's package.
package messaging
