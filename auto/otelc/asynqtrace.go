//go:build ignore

// This file is added to github.com/mqtrace/mqtrace/asynqtrace by otelc.

package asynqtrace

import _ "unsafe" // for go:linkname

//go:linkname __mqtrace_by_hand github.com/mqtrace/mqtrace/auto.byHand
func __mqtrace_by_hand() func()

//go:linkname __mqtrace_worker_made github.com/mqtrace/mqtrace/auto.workerMade
func __mqtrace_worker_made()
