// Package telemetry sets up tracing, metrics and logging for one service: [Setup] is the
// only place in the example that uses the OpenTelemetry SDK.
//
// Every service of the example has its own [Telemetry], which is passed to it explicitly.
// Nothing goes through the OpenTelemetry globals, because several services, each with its
// own service.name, may run in one process.
package telemetry
