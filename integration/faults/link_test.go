package faults_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// link is a connection that amqp091-go recovers. Its documentation asks programs not to
// publish meanwhile: a frame sent during the recovery breaks the new handshake.
type link struct {
	*amqp.Connection

	mu   sync.Mutex
	open chan struct{} // closed while the connection is open
	ups  int

	socket   net.Conn
	refusing time.Time // since when the broker has refused all messages, or zero
}

// dial connects to the first broker that answers, and so does every recovery.
func dial(t *testing.T, brokers ...string) *link {
	t.Helper()
	return dialWith(t, time.Minute, brokers...)
}

// dialWith is dial with a heartbeat. A short one is for tests that need missed heartbeats:
// on a busy machine, others would lose healthy connections.
func dialWith(t *testing.T, heartbeat time.Duration, brokers ...string) *link {
	t.Helper()
	k := &link{open: make(chan struct{})}
	conn, err := amqp.DialConfig(brokers[0], amqp.Config{
		Heartbeat: heartbeat,
		Dial: func(network, _ string) (conn net.Conn, err error) {
			for _, b := range brokers {
				uri, parseErr := amqp.ParseURI(b)
				if parseErr != nil {
					return nil, parseErr
				}
				conn, err = amqp.DefaultDial(2*time.Second)(network, net.JoinHostPort(uri.Host, itoa(uri.Port)))
				if err == nil {
					k.dialled(conn)
					return conn, nil
				}
			}
			return nil, err
		},
		Recovery: &amqp.Recovery{ReconnectionConfig: &amqp.ReconnectionConfig{
			MaxRetryCount: 1000, RetryInterval: 100 * time.Millisecond,
		}},
	})
	if err != nil {
		t.Fatal("the broker does not answer: ", err)
	}
	k.Connection = conn
	close(k.open)
	changes := make(chan *amqp.StateChanged, 16)
	conn.NotifyStateChange(changes)
	go k.follow(changes)
	return k
}

func (k *link) follow(changes <-chan *amqp.StateChanged) {
	for change := range changes {
		k.mu.Lock()
		switch {
		case change.To == amqp.StateOpen:
			k.ups++
			close(k.open)
		case change.From == amqp.StateOpen:
			k.open = make(chan struct{})
		}
		k.mu.Unlock()
	}
}

// wait returns once the connection is open, or false if ctx is done first.
func (k *link) wait(ctx context.Context) bool {
	k.mu.Lock()
	open := k.open
	k.mu.Unlock()
	select {
	case <-ctx.Done():
		return false
	case <-open:
		return ctx.Err() == nil
	}
}

func (k *link) dialled(socket net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.socket, k.refusing = socket, time.Time{}
}

// patience is how long the broker may refuse everything.
const patience = 2 * time.Second

// heard records whether the broker accepted a message. A channel whose first message to a
// quorum queue came before a new leader was elected refuses all messages while the old
// leader is away (RabbitMQ 3.10), so a program has to reconnect.
func (k *link) heard(taken bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case taken:
		k.refusing = time.Time{}
	case k.refusing.IsZero():
		k.refusing = time.Now()
	case time.Since(k.refusing) > patience:
		k.refusing = time.Time{}
		_ = k.socket.Close()
	}
}

func (k *link) recoveries() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ups
}

func (k *link) channel(t *testing.T) *amqp.Channel {
	t.Helper()
	ch, err := k.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

var errStuck = errors.New("it never closes")

// closed closes the connection. That would block for good if amqp091-go's notifications
// were not received.
func (k *link) closed() error {
	done := make(chan error, 1)
	go func() { done <- k.Close() }()
	select {
	case err := <-done:
		return err
	case <-time.After(forGood):
		return errStuck
	}
}
