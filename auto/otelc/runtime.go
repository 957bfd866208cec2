//go:build ignore

// This file is added to runtime by otelc.

package runtime

import (
	"internal/runtime/atomic"
	"unsafe"
)

// Package auto keeps the states of goroutines in package runtime/context of orchestrion
// v1.15.0, which links to these names. In a program woven by otelc, this file and the rules
// for package runtime do what orchestrion does for that package.

// The function that derives the state of a new goroutine from the state of its parent.
var __dd_orchestrion_ctx_go atomic.Pointer[byte]

//go:linkname __dd_orchestrion_ctx_get __dd_orchestrion_ctx_get
var __dd_orchestrion_ctx_get = func() any { return getg().m.curg.__mqtrace_state }

//go:linkname __dd_orchestrion_ctx_set __dd_orchestrion_ctx_set
var __dd_orchestrion_ctx_set = func(state any) { getg().m.curg.__mqtrace_state = state }

//go:linkname __dd_orchestrion_ctx_set_go __dd_orchestrion_ctx_set_go
var __dd_orchestrion_ctx_set_go = func(hook unsafe.Pointer) { __dd_orchestrion_ctx_go.Store((*byte)(hook)) }

// mqtracePrepare makes the state of a goroutine that gp is about to start, and reports
// whether it did. It runs code of the program, so it must be on one of the program's
// goroutines, without a lock of the runtime.
func mqtracePrepare(gp *g) bool {
	if gp != gp.m.curg || gp.m.locks != 0 || gp.m.mallocing != 0 {
		return false
	}
	hook := (*func(any) any)(unsafe.Pointer(__dd_orchestrion_ctx_go.Load()))
	if hook == nil {
		return false
	}
	gp.__mqtrace_next = (*hook)(gp.__mqtrace_state)
	return true
}

func mqtraceStarted(gp *g) { gp.__mqtrace_next = nil }

// mqtraceAttach gives that state to the new goroutine, unless it is one of the runtime's
// own.
func mqtraceAttach(newg *g) {
	parent := getg().m.curg
	if parent != nil && newg != nil && parent.__mqtrace_next != nil && !isSystemGoroutine(newg, false) {
		newg.__mqtrace_state = parent.__mqtrace_next
	}
}

// mqtraceClear forgets the states of a goroutine that ends, since its g is reused.
func mqtraceClear(gp *g) {
	gp.__mqtrace_state = nil
	gp.__mqtrace_next = nil
}
