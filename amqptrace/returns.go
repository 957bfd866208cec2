package amqptrace

import (
	"crypto/rand"
	"strconv"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// returns keeps confirmed mandatory messages that the broker has returned, until they are
// asked for.
//
// A return is identified by an id in the message's headers, which the broker sends back,
// and not by its trace context, which is not unique without an SDK.
type returns struct {
	listens bool // false if the host cannot report returns

	mu       sync.Mutex
	prefix   string // of the ids: others may publish on the channel too
	lastID   uint64
	expected map[string]*amqp.Return // nil until the message is returned
}

// expect marks the headers of a message that is about to be sent and returns the message's
// id, or "" if the host cannot report returns.
func (r *returns) expect(headers amqp.Table) (id string) {
	if !r.listens {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.expected == nil {
		r.prefix = rand.Text() + "-"
		r.expected = make(map[string]*amqp.Return)
	}
	r.lastID++
	id = r.prefix + strconv.FormatUint(r.lastID, 36)
	r.expected[id] = nil
	headers[messaging.PublishIDHeader] = id
	return id
}

// note keeps a return that will be asked for.
func (r *returns) note(ret *amqp.Return) {
	id, _ := ret.Headers[messaging.PublishIDHeader].(string)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.expected[id]; ok {
		ret.Body = nil // the sender has it
		r.expected[id] = ret
	}
}

func (r *returns) get(id string) *amqp.Return {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expected[id]
}

// forget drops the entry of a message.
func (r *returns) forget(id string) {
	if id == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.expected, id)
}
