// Package otelc contains the rules of package auto in the format of otelc, OpenTelemetry's
// tool for compile-time instrumentation. To use them, import this package in the program's
// otel.instrumentation.go:
//
//	//go:build tools
//
//	package tools
//
//	import _ "github.com/mqtrace/mqtrace/auto/otelc"
//
// The rules are in otelc.yaml. They weave the same code as orchestrion.yml, which calls the
// same functions of package auto, so that there is one implementation for both tools. The
// other files of this directory are not compiled as part of it: otelc adds each to the
// package that it is named after. See README.md for what was tried, and for what otelc
// cannot do.
package otelc
