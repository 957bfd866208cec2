// Package auto traces programs without changes to their code: built with orchestrion, a
// program that uses amqp091-go or asynq gets the spans of packages amqptrace and
// asynqtrace. It is enabled by a blank import in orchestrion.tool.go, the file that
// orchestrion pin writes:
//
//	import _ "github.com/mqtrace/mqtrace/auto"
//
// In a program built without orchestrion, the import does nothing.
//
// orchestrion.yml defines what is woven in, and where. What this package exports is for that
// code; programs should not call it, and it may change. The code here calls amqptrace and
// asynqtrace and adds only what a program without contexts needs: it finds out which
// message a goroutine is working for. See docs/zero-code.md, which also lists the
// environment variables and the limits.
package auto
