package amqptrace

import (
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// connection knows where the broker of an *amqp.Connection is.
type connection struct {
	host    *amqp.Connection
	serves  bool // the server's address is not given otherwise
	changes chan *amqp.StateChanged

	mu    sync.Mutex
	where atomic.Pointer[place]
}

// place is where a broker is.
type place struct {
	server *messaging.Server    // on every span and metric point
	span   []attribute.KeyValue // on every span
}

// statesSize is how many changes of a connection's state there may be between two messages.
const statesSize = 16

func newConnection(host *amqp.Connection, serves bool) *connection {
	c := &connection{host: host, serves: serves, changes: make(chan *amqp.StateChanged, statesSize)}
	host.NotifyStateChange(c.changes)
	c.look()
	return c
}

// place returns where the broker is. The host may have found another one when it recovered
// the connection. It is asked only while the connection is open: amqp091-go replaces what it
// would tell without a lock.
func (c *connection) place() *place {
	if c == nil {
		return &nowhere
	}
	if len(c.changes) > 0 {
		c.read()
	}
	return c.where.Load()
}

var nowhere place

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
	if open {
		c.look()
	}
}

func (c *connection) look() {
	var p place
	host, port := splitAddr(c.host.RemoteAddr())
	server := host
	// The name that the program has dialled is known with TLS alone.
	if name := c.host.ConnectionState().ServerName; name != "" {
		server = name
	}
	if host != "" {
		p.span = append(p.span, messaging.PeerAddress(host))
		if port > 0 {
			p.span = append(p.span, messaging.PeerPort(port))
		}
	}
	if server != "" && c.serves {
		p.server = &messaging.Server{Attributes: []attribute.KeyValue{messaging.ServerAddress(server)}}
		if port > 0 {
			p.server.Attributes = append(p.server.Attributes, messaging.ServerPort(port))
		}
		p.span = append(p.span, p.server.Attributes...)
	}
	if vhost := c.host.Config.Vhost; vhost != "" {
		p.span = append(p.span, messaging.Text(virtualHostKey, vhost))
	}
	c.where.Store(&p)
}

func splitAddr(addr net.Addr) (host string, port int) {
	if addr == nil {
		return "", 0
	}
	host, service, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String(), 0 // of another network than TCP
	}
	port, _ = strconv.Atoi(service)
	return host, port
}
