//go:build ignore

// This file is added to os by otelc.

package os

import _ "unsafe" // for go:linkname

//go:linkname __mqtrace_exit github.com/mqtrace/mqtrace/auto.exit
func __mqtrace_exit()
