package amqpbroker

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

const (
	defaultChannelMax       = 2047
	defaultFrameMax         = 128 << 10
	defaultHeartbeat        = 60 * time.Second
	defaultMaxMessageSize   = 128 << 20
	defaultHandshakeTimeout = 10 * time.Second
	defaultCloseGrace       = 2 * time.Second
)

// ErrNotLoopback is returned by Listen for an address that other machines can reach.
var ErrNotLoopback = errors.New("amqpbroker: not a loopback address")

// Option configures a Broker.
type Option func(*config)

type config struct {
	user, password   string
	heartbeat        time.Duration
	frameMax         uint32
	channelMax       uint16
	maxMessageSize   uint64
	allowNonLoopback bool
	hook             func(Frame)
	now              func() time.Time
	handshakeTimeout time.Duration // for a client to reach the running state
	closeGrace       time.Duration // for a client to answer connection.close
}

// AllowNonLoopback lets the broker listen where other machines can reach it.
// By default, it refuses to.
func AllowNonLoopback() Option {
	return func(c *config) { c.allowNonLoopback = true }
}

// WithCredentials sets the only user. By default, it is guest with the password guest.
func WithCredentials(user, password string) Option {
	return func(c *config) { c.user, c.password = user, password }
}

// WithHeartbeat sets the heartbeat proposed to clients, in whole seconds; 0
// proposes none. By default, 60 seconds.
func WithHeartbeat(d time.Duration) Option {
	return func(c *config) { c.heartbeat = d }
}

// WithFrameMax sets the largest frame in octets, 8192 at least. By default,
// 131072.
func WithFrameMax(octets uint32) Option {
	return func(c *config) { c.frameMax = max(octets, frameMinSize) }
}

// WithChannelMax sets how many channels a connection may have. By default, 2047.
func WithChannelMax(channels uint16) Option {
	return func(c *config) { c.channelMax = max(channels, 1) }
}

// WithMaxMessageSize sets the largest body in octets. By default, 134217728.
func WithMaxMessageSize(octets uint64) Option {
	return func(c *config) { c.maxMessageSize = octets }
}

// WithHandshakeTimeout sets how long a new client may take to open its connection
// before the broker drops it. By default, 10 seconds.
func WithHandshakeTimeout(d time.Duration) Option {
	return func(c *config) { c.handshakeTimeout = d }
}

// WithCloseGrace sets how long the broker waits for a client to answer when it closes
// the client's connection, as [Broker.Close] does with all of them. By default, 2
// seconds.
func WithCloseGrace(d time.Duration) Option {
	return func(c *config) { c.closeGrace = d }
}

// Broker is a running broker. All its methods may be called at any time, from any
// goroutine.
type Broker struct {
	cfg      config
	listener net.Listener
	clock    *clock
	running  sync.WaitGroup // every goroutine the broker has started
	closing  sync.Once
	done     chan struct{} // closed when Close or Kill has finished

	mu          sync.Mutex // guards what follows, and all state reached through it
	stopped     bool
	connections map[*connection]struct{}
	exchanges   map[string]*exchange
	queues      map[string]*queue
	repliers    map[string]*channel // direct reply-to consumers by the names of their replies
	ownReplies  string              // prefix of those names
	names       uint64              // for server-made names
	knobs       knobs
}

// Start runs a broker on a free port of 127.0.0.1.
func Start(opts ...Option) (*Broker, error) {
	return Listen("127.0.0.1:0", opts...)
}

// Listen runs a broker on addr, for example "127.0.0.1:5672".
func Listen(addr string, opts ...Option) (*Broker, error) {
	cfg := config{
		user: "guest", password: "guest",
		heartbeat:        defaultHeartbeat,
		frameMax:         defaultFrameMax,
		channelMax:       defaultChannelMax,
		maxMessageSize:   defaultMaxMessageSize,
		handshakeTimeout: defaultHandshakeTimeout,
		closeGrace:       defaultCloseGrace,
		now:              time.Now,
	}
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("amqpbroker: %w", err)
	}
	if !tcp.IP.IsLoopback() && !cfg.allowNonLoopback {
		return nil, fmt.Errorf("%w: %s", ErrNotLoopback, addr)
	}
	listener, err := net.ListenTCP("tcp", tcp)
	if err != nil {
		return nil, fmt.Errorf("amqpbroker: %w", err)
	}
	b := &Broker{
		cfg:         cfg,
		listener:    listener,
		done:        make(chan struct{}),
		connections: make(map[*connection]struct{}),
		exchanges:   predeclared(),
		queues:      make(map[string]*queue),
		repliers:    make(map[string]*channel),
		ownReplies:  replyPrefix + secret() + ".",
	}
	b.clock = newClock(&b.mu, cfg.now)
	b.running.Go(b.clock.run)
	b.running.Go(b.accept)
	return b, nil
}

// Addr returns the address that the broker listens on, host:port.
func (b *Broker) Addr() string { return b.listener.Addr().String() }

// URL returns the URL that clients connect to.
func (b *Broker) URL() string {
	u := url.URL{Scheme: "amqp", User: url.UserPassword(b.cfg.user, b.cfg.password), Host: b.Addr(), Path: "/"}
	return u.String()
}

// Close notifies every client that the broker is shutting down (320 CONNECTION_FORCED),
// gives them a moment to answer, and stops. All of the broker's goroutines have ended when
// it returns. It never fails, and may be called more than once.
func (b *Broker) Close() error {
	b.stop(true)
	return nil
}

// Kill drops every connection without closing it properly, as a crash does, and stops.
func (b *Broker) Kill() { b.stop(false) }

func (b *Broker) stop(graceful bool) {
	b.closing.Do(func() {
		defer close(b.done)
		b.mu.Lock()
		b.stopped = true
		for c := range b.connections {
			if graceful {
				c.shutDown()
			} else {
				c.cut()
			}
		}
		b.mu.Unlock()
		_ = b.listener.Close()
		b.clock.stop()
		b.running.Wait()
		b.mu.Lock() // nothing persists: release what the queues held
		b.queues, b.exchanges = nil, nil
		b.mu.Unlock()
	})
	<-b.done
}

func (b *Broker) accept() {
	for {
		sock, err := b.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of file descriptors, most likely
			continue
		}
		c := newConnection(b, sock)
		b.mu.Lock()
		if b.stopped {
			b.mu.Unlock()
			_ = sock.Close()
			continue
		}
		b.connections[c] = struct{}{}
		b.running.Go(c.read)
		b.running.Go(c.write)
		b.mu.Unlock()
	}
}
