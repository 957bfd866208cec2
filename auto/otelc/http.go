//go:build ignore

// This file is added to net/http by otelc.

package http

import _ "unsafe" // for go:linkname

//go:linkname __mqtrace_serve github.com/mqtrace/mqtrace/auto.serverServe
func __mqtrace_serve(srv *Server)

//go:linkname __mqtrace_transport github.com/mqtrace/mqtrace/auto.clientTransport
func __mqtrace_transport(host RoundTripper) RoundTripper
