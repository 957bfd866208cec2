//go:build ignore

// This file is added to go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp by otelc.

package otelhttp

import _ "unsafe" // for go:linkname

//go:linkname __mqtrace_middleware_made github.com/mqtrace/mqtrace/auto.middlewareMade
func __mqtrace_middleware_made()

//go:linkname __mqtrace_transport_made github.com/mqtrace/mqtrace/auto.transportMade
func __mqtrace_transport_made()
