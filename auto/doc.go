// Package auto traces programs that know nothing of it: built with orchestrion, a program that
// uses amqp091-go or asynq gets the spans of packages amqptrace and asynqtrace without a
// change to its code. It is switched on by a blank import in orchestrion.tool.go, the file
// that orchestrion pin writes:
//
//	import _ "github.com/mqtrace/mqtrace/auto"
//
// In a program that is built without orchestrion the import does nothing.
//
// What is woven where is in orchestrion.yml. The code here calls amqptrace and asynqtrace and
// has no rules of its own, but for the one question that only a program without contexts asks:
// which message does this goroutine work for? See docs/zero-code.md, which also lists the
// environment variables and the limits.
package auto
