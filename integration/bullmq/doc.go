// Package bullmq tests carrier with BullMQ's own npm packages: a Node worker continues a
// trace that InjectText wrote, and ExtractText reads one that Node started. It needs
// Node.js 20, npm and a Redis:
//
//	(cd integration/bullmq && npm install --no-save)
//	MQTRACE_REDIS_ADDR=127.0.0.1:6379 go test -tags interop ./integration/bullmq
package bullmq
