// Package rabbit connects the services to RabbitMQ and keeps them connected.
package rabbit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	dialTimeout  = 10 * time.Second // RabbitMQ's own handshake timeout
	closeTimeout = 2 * time.Second
	heartbeat    = 5 * time.Second

	// A broker that restarts is back within this many attempts; after them the service
	// exits and leaves the rest to its supervisor.
	reconnectAttempts = 30
	reconnectInterval = time.Second
)

// ErrReconnecting is returned by Health while the connection is being re-established.
var ErrReconnecting = errors.New("the connection to RabbitMQ is being re-established")

// Conn is a connection that re-establishes itself, with its channels, their
// consumers and their queues, when it breaks.
type Conn struct {
	*amqp.Connection

	// Host and Port are the broker's address.
	Host string
	Port int

	lost    chan error
	watched chan struct{}
	broken  atomic.Bool // from the loss of the connection until everything is restored
}

// Dial connects to the broker. Neither its errors nor its log lines contain the URL's user
// or password.
func Dial(ctx context.Context, rawURL, name string, log *slog.Logger) (*Conn, error) {
	uri, err := amqp.ParseURI(rawURL)
	if err != nil {
		// The parser's error quotes the URL, password included.
		return nil, errors.New("MQTRACE_AMQP_URL is not a valid amqp:// URL")
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(name)
	connection, err := amqp.DialConfig(rawURL, amqp.Config{
		Heartbeat:  heartbeat,
		Properties: properties,
		Dial:       amqp.DefaultDial(dialTimeout),
		Recovery: &amqp.Recovery{ReconnectionConfig: &amqp.ReconnectionConfig{
			MaxRetryCount: reconnectAttempts,
			RetryInterval: reconnectInterval,
		}},
	})
	if err != nil {
		addr := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
		return nil, fmt.Errorf("connect to RabbitMQ at %s (MQTRACE_AMQP_URL): %w", addr, err)
	}
	conn := &Conn{
		Connection: connection,
		Host:       uri.Host,
		Port:       uri.Port,
		lost:       make(chan error, 1),
		watched:    make(chan struct{}),
	}
	changes := make(chan *amqp.StateChanged, 1)
	connection.NotifyStateChange(changes)
	go conn.watch(context.WithoutCancel(ctx), changes, log)
	return conn, nil
}

// watch returns when the connection is closed for good, by Close or because the broker did
// not come back.
func (c *Conn) watch(ctx context.Context, changes <-chan *amqp.StateChanged, log *slog.Logger) {
	defer close(c.watched)
	for change := range changes {
		switch change.To {
		case amqp.StateReconnecting:
			c.broken.Store(true)
			log.WarnContext(ctx, "lost the connection to RabbitMQ, reconnecting")
		case amqp.StateOpen:
			c.broken.Store(false)
			log.InfoContext(ctx, "connected to RabbitMQ again")
		case amqp.StateClosed:
			if change.Err != nil {
				c.lost <- fmt.Errorf("gave up reconnecting to RabbitMQ: %w", change.Err)
			}
		case amqp.StateClosing:
		}
	}
}

// Lost receives an error when the connection is gone for good.
func (c *Conn) Lost() <-chan error { return c.lost }

// Health returns nil while the connection is up, with its channels, queues and consumers.
// IsClosed is not enough: it is false again as soon as the broker is dialed, and what is
// sent before the rest is restored gets lost or, in the middle of a channel's handshake,
// closes the connection once more.
func (c *Conn) Health(context.Context) error {
	if c.broken.Load() || c.IsClosed() {
		return ErrReconnecting
	}
	return nil
}

// Close closes the connection, without waiting long for the broker's answer.
func (c *Conn) Close() error {
	err := c.CloseDeadline(time.Now().Add(closeTimeout))
	if errors.Is(err, amqp.ErrClosed) {
		err = nil
	}
	<-c.watched
	if err != nil {
		return fmt.Errorf("close the connection to RabbitMQ: %w", err)
	}
	return nil
}
