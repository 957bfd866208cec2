// Package telemetry sets up tracing, metrics and logging for one service: [Setup] is
// the only place of the example that knows the OpenTelemetry SDK.
//
// Every service of the example has a [Telemetry] of its own and is handed it
// explicitly. Nothing goes through the OpenTelemetry globals, because several
// services, each with its own service.name, may run in one process.
package telemetry
