//go:build ignore

// This file is added to go.opentelemetry.io/otel by otelc.

package otel

import _ "unsafe" // for go:linkname

//go:linkname __mqtrace_provider_set github.com/mqtrace/mqtrace/auto.providerSet
func __mqtrace_provider_set()
