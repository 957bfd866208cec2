package amqptrace

import (
	"crypto/rand"
	"strconv"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// returns keeps what the broker returns of a publisher's confirmed mandatory messages
// until somebody asks.
//
// A return is known by an id in the message's headers, which the broker sends back,
// and not by its trace context: that is not unique without an SDK. The broker sends
// the return before the confirmation, and amqp091-go hands over the one before the
// other, but to a channel that a goroutine of ours reads. So whoever has seen the
// confirmation asks that goroutine to read what is there before he looks.
// https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed
type returns struct {
	start    sync.Once
	prefix   string // of this publisher's ids: others may share its channel
	listener chan amqp.Return
	flush    chan chan struct{}
	done     chan struct{} // closed when the host's channel has ended

	mu       sync.Mutex
	lastID   uint64
	expected map[string]*amqp.Return // nil until the message is returned
}

// listenerSize is how many returns may wait while the goroutine is not running. The
// connection's reader waits beyond that.
const listenerSize = 64

// expect marks the headers of a message that is about to be sent and returns the
// message's id, or none where the host cannot tell of returns.
func (r *returns) expect(host Channel, headers amqp.Table) (id string) {
	notifier, ok := host.(interface {
		NotifyReturn(c chan amqp.Return) chan amqp.Return
	})
	if !ok {
		return ""
	}
	r.start.Do(func() {
		r.prefix = rand.Text() + "-"
		r.expected = make(map[string]*amqp.Return)
		r.flush = make(chan chan struct{})
		r.done = make(chan struct{})
		r.listener = notifier.NotifyReturn(make(chan amqp.Return, listenerSize))
		go r.drain()
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lastID++
	id = r.prefix + strconv.FormatUint(r.lastID, 36)
	r.expected[id] = nil
	headers[messaging.PublishIDHeader] = id
	return id
}

// drain reads the returns for as long as the host's channel lives. A listener that is
// not read holds up all of the connection.
func (r *returns) drain() {
	defer close(r.done)
	for {
		select {
		case ret, ok := <-r.listener:
			if !ok {
				return
			}
			r.note(&ret)
		case read := <-r.flush:
			more := r.readAll()
			close(read)
			if !more {
				return
			}
		}
	}
}

// readAll reads what is there already.
func (r *returns) readAll() (more bool) {
	for {
		select {
		case ret, ok := <-r.listener:
			if !ok {
				return false
			}
			r.note(&ret)
		default:
			return true
		}
	}
}

// note keeps a return that somebody will ask for. Other publishers on the channel
// have theirs returned to this listener too.
func (r *returns) note(ret *amqp.Return) {
	id, _ := ret.Headers[messaging.PublishIDHeader].(string)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.expected[id]; ok {
		ret.Body = nil // the sender has it
		r.expected[id] = ret
	}
}

// take returns the return of a message that is confirmed, or nil if there was none.
func (r *returns) take(id string) *amqp.Return {
	if id == "" {
		return nil
	}
	read := make(chan struct{})
	select {
	case r.flush <- read:
		<-read
	case <-r.done:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expected[id]
}

// forget drops what is kept for a message.
func (r *returns) forget(id string) {
	if id == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.expected, id)
}
