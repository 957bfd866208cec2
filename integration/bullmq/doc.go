// Package bullmq holds a test with BullMQ's own npm packages: a trace that carrier's
// InjectText writes goes on in a Node worker, and one that Node starts is read by
// ExtractText. It needs Node.js 20, npm and a Redis:
//
//	(cd integration/bullmq && npm install --no-save)
//	MQTRACE_REDIS_ADDR=127.0.0.1:6379 go test -tags interop ./integration/bullmq
package bullmq
