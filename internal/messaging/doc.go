// Package messaging is the common part of amqptrace and asynqtrace: options, the rule that
// relates a message's span to its trace, and the start and end of an operation by
// OpenTelemetry's semantic conventions for messaging.
//
// It depends on no broker. A broker's own attributes and error types stay in its package.
package messaging
