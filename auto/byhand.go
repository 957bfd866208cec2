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

// What the program instruments itself, with its own options and providers, is left to it.
var (
	ownQueues    sync.Map    // names of queues that amqptrace consumes from
	ownWorkers   atomic.Bool // asynqtrace instruments the servers
	ownServers   atomic.Bool // otelhttp instruments the HTTP servers
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

// isOfAsynqtrace reports whether a function belongs to asynqtrace: scheduler options that
// contain one were made by hand.
func isOfAsynqtrace(function func(*asynq.Task, []asynq.Option)) bool {
	if function == nil {
		return false
	}
	f := runtime.FuncForPC(reflect.ValueOf(function).Pointer())
	return f != nil && strings.HasPrefix(f.Name(), "github.com/mqtrace/mqtrace/asynqtrace.")
}
