//go:build ignore

// This file is added to os/signal by otelc.

package signal

import (
	"os"
	_ "unsafe" // for go:linkname
)

//go:linkname __mqtrace_notify github.com/mqtrace/mqtrace/auto.signalNotify
func __mqtrace_notify(signals []os.Signal)
