package auto

import (
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

// What the program does itself, with its own options and providers, is left to it.
var (
	ownQueues    sync.Map    // names of queues with a consumer of amqptrace
	ownWorkers   atomic.Bool // asynqtrace has the servers
	ownServers   atomic.Bool // otelhttp has the HTTP servers
	ownTransport atomic.Bool // and the clients
)

//go:linkname consumerMade
func consumerMade(queue string) {
	if !isInside() {
		ownQueues.Store(queue, nil)
	}
}

func isOwnQueue(queue string) bool {
	_, ok := ownQueues.Load(queue)
	return ok
}

//go:linkname workerMade
func workerMade() { noteOwn(&ownWorkers) }

//go:linkname middlewareMade
func middlewareMade() { noteOwn(&ownServers) }

//go:linkname transportMade
func transportMade() { noteOwn(&ownTransport) }

func noteOwn(own *atomic.Bool) {
	if !isInside() {
		own.Store(true)
	}
}

// isOf reports whether a value is a function of a package, or of a type that is declared
// there: then the program has called that package itself, and there is nothing left to do.
func isOf(path string, value any) bool {
	v := reflect.ValueOf(value)
	if !v.IsValid() {
		return false
	}
	if v.Kind() == reflect.Func {
		if v.IsNil() {
			return false
		}
		f := runtime.FuncForPC(v.Pointer())
		return f != nil && strings.HasPrefix(f.Name(), path)
	}
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()+"." == path
}
