package amqptrace

import (
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// connections holds the broker's address for each *amqp.Connection of [WithConnection].
// They are shared like the states of channels, and for the same reason: the host cannot
// remove a listener.
var connections sync.Map // of *connection by weak.Pointer[amqp.Connection]

// connection holds the address of the broker of an *amqp.Connection.
type connection struct {
	host    weak.Pointer[amqp.Connection]
	changes chan *amqp.StateChanged

	watching sync.Once
	mu       sync.Mutex
	where    atomic.Pointer[place]
}

// place is the address of a broker.
type place struct {
	server *messaging.Server    // on every metric point, nil if unknown
	span   []attribute.KeyValue // on every span
	peer   *place               // the same without the server
}

// statesSize is how many state changes of a connection there may be between two messages.
const statesSize = 16

// connectionOf returns the state of a host's connection.
func connectionOf(host *amqp.Connection) *connection {
	key := weak.Make(host)
	known, ok := connections.Load(key)
	if !ok {
		c := &connection{host: key, changes: make(chan *amqp.StateChanged, statesSize)}
		if known, ok = connections.LoadOrStore(key, c); !ok {
			runtime.AddCleanup(host, (*connection).forget, c)
		}
	}
	c := known.(*connection) //nolint:forcetypeassert // nothing else is stored
	c.watching.Do(func() { c.watch(host) })
	return c
}

// watch starts to follow the address. It listens before it looks, so that no change is
// missed in between. While the connection is being recovered the address is not known.
func (c *connection) watch(host *amqp.Connection) {
	c.where.Store(&place{peer: new(place)})
	host.NotifyStateChange(c.changes)
	if !host.IsClosed() {
		c.look(host)
	}
}

// forget removes the state of a connection that is no longer used.
func (c *connection) forget() {
	connections.Delete(c.host)
	// A goroutine of the host may be waiting to send what it has left, and ends after that. It
	// closes the channel only if the connection was closed after the channel was registered.
	go func() {
		for {
			select {
			case _, ok := <-c.changes:
				if !ok {
					return
				}
			case <-time.After(time.Second):
				return
			}
		}
	}()
}

// place returns the broker's address, which may change when the host recovers the
// connection. The host is asked only while the connection is open, since amqp091-go
// replaces the underlying connection without a lock.
func (c *connection) place() *place {
	if len(c.changes) > 0 {
		c.read()
	}
	return c.where.Load()
}

func (c *connection) read() {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := false
	for len(c.changes) > 0 {
		change, ok := <-c.changes
		open = ok && change.To == amqp.StateOpen
		if !ok {
			break
		}
	}
	if host := c.host.Value(); open && host != nil {
		c.look(host)
	}
}

func (c *connection) look(host *amqp.Connection) {
	p := &place{peer: new(place)}
	address, port := splitAddr(host.RemoteAddr())
	if address != "" {
		server := address
		// Only with TLS is the name that the program dialled known.
		if name := host.ConnectionState().ServerName; name != "" {
			server = name
		}
		p.server = &messaging.Server{Attributes: []attribute.KeyValue{messaging.ServerAddress(server)}}
		p.peer.span = append(p.peer.span, messaging.PeerAddress(address))
		if port > 0 {
			p.server.Attributes = append(p.server.Attributes, messaging.ServerPort(port))
			p.peer.span = append(p.peer.span, messaging.PeerPort(port))
		}
		p.span = slices.Clone(p.server.Attributes)
	}
	if vhost := host.Config.Vhost; vhost != "" {
		p.peer.span = append(p.peer.span, messaging.Text(virtualHostKey, vhost))
	}
	p.span = append(p.span, p.peer.span...)
	c.where.Store(p)
}

var nowhere place

// place returns the broker's address as far as the options give it. WithServer takes
// precedence, and is on spans and metrics already.
func (c *config) place() *place {
	switch {
	case c.connection == nil:
		return &nowhere
	case c.address != "":
		return c.connection.place().peer
	default:
		return c.connection.place()
	}
}

func splitAddr(addr net.Addr) (host string, port int) {
	if addr == nil {
		return "", 0
	}
	host, service, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String(), 0 // not TCP
	}
	port, _ = strconv.Atoi(service)
	return host, port
}
