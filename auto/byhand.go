package auto

import (
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	"github.com/hibiken/asynq"
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

// isOfAsynqtrace reports whether a function is one of asynqtrace: options of a scheduler that
// have it were made by hand.
func isOfAsynqtrace(function func(*asynq.Task, []asynq.Option)) bool {
	if function == nil {
		return false
	}
	f := runtime.FuncForPC(reflect.ValueOf(function).Pointer())
	return f != nil && strings.HasPrefix(f.Name(), "github.com/mqtrace/mqtrace/asynqtrace.")
}
