// Package traceview receives traces over OTLP/HTTP, keeps the latest of them in
// memory, and shows them on a web page that understands queues.
//
// It combines these packages, each usable without the others:
//
//   - spans has the spans of a trace as they were received.
//   - otlp reads and writes OTLP, with limits on everything that a client can make grow;
//     tracefile reads files and the answers of other servers: OTLP JSON, Jaeger's and
//     Tempo's.
//   - receiver receives OTLP over HTTP.
//   - store keeps traces within limits and drops the oldest first.
//   - messaging determines a span's role for a message, and tree lays out a trace: the time
//     a message spent in a queue, and which attempt at it a span was.
//   - terminal draws a tree, page shows it, and search finds it.
//
// It is a development aid, not a backend: nothing is written to disk, and what does not fit
// is dropped and counted.
//
// The protocol is described at https://opentelemetry.io/docs/specs/otlp/#otlphttp.
package traceview
