// Package traceview receives traces over OTLP/HTTP, keeps the latest of them in
// memory, and shows one as a tree that understands queues.
//
// It has three parts, each usable without the others:
//
//   - [NewHandler] and [Listen] are the receiver: POST /v1/traces in the protobuf
//     or the JSON encoding, gzip or plain, with limits on everything a client
//     can make grow. [DecodeProtobuf] and [DecodeJSON] read the same payloads
//     from elsewhere, a file for instance.
//   - [Store] keeps [Trace] values within [Limits] and gives up the oldest trace
//     first. [Store.Wait] blocks until a trace is complete by the caller's own
//     standard.
//   - [WriteTree] renders a trace for a terminal: the time a message spent in a
//     queue is a line of its own between the span that sent it and the span that
//     processed it, and so is the pause before a retry.
//
// It is a development aid and not a backend: nothing is written to disk, and
// what does not fit is dropped and counted.
//
// The protocol is described at https://opentelemetry.io/docs/specs/otlp/#otlphttp.
package traceview
