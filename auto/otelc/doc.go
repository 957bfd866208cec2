// Package otelc has what package auto weaves in the form of otelc, OpenTelemetry's tool for
// instrumentation at compile time. A program is built with it that has a blank import of this
// package in otel.instrumentation.go:
//
//	//go:build tools
//
//	package tools
//
//	import _ "github.com/mqtrace/mqtrace/auto/otelc"
//
// The rules are in otelc.yaml. They call the same functions of package auto as those in
// orchestrion.yml, with the same code, so that there is one implementation for both tools. The
// other files of this directory are not compiled as part of it: otelc adds each to the package
// that it is named after. See README.md for what was tried, and for what otelc cannot do.
package otelc
