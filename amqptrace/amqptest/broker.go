package amqptest

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// TB is the part of [testing.TB] that this package needs.
type TB interface {
	Helper()
	Cleanup(f func())
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Broker is a running broker. Its methods may be called from any goroutine, but those that
// can fail the test only from the test's own.
type Broker struct {
	t      TB
	broker *amqpbroker.Broker
	clock  *amqpbroker.Clock
}

// Option configures a [Broker].
type Option interface{ apply(*config) }

type config struct{ stopped bool }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// WithStoppedClock makes the broker's clock move only with [Broker.Advance], so that no
// message expires because the machine was busy. By default, the clock runs.
func WithStoppedClock() Option {
	return optionFunc(func(c *config) { c.stopped = true })
}

// Start runs a broker until the test ends.
func Start(t TB, opts ...Option) *Broker {
	t.Helper()
	var c config
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&c)
		}
	}
	clock := amqpbroker.NewRunningClock()
	if c.stopped {
		clock = amqpbroker.NewClock()
	}
	broker, err := amqpbroker.Start(amqpbroker.WithClock(clock))
	if err != nil {
		t.Fatalf("amqptest: %v", err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	return &Broker{t, broker, clock}
}

// URL returns the URL to dial: amqp://guest:guest@127.0.0.1:PORT/.
func (b *Broker) URL() string { return b.broker.URL() }

// Channel opens a connection and a channel in confirm mode on it. The connection is closed
// when the test ends.
func (b *Broker) Channel() *amqp.Channel {
	b.t.Helper()
	conn, ch := b.open()
	b.t.Cleanup(func() { _ = conn.Close() })
	if err := ch.Confirm(false); err != nil {
		b.t.Fatalf("amqptest: %v", err)
	}
	return ch
}

func (b *Broker) open() (*amqp.Connection, *amqp.Channel) {
	b.t.Helper()
	conn, err := amqp.Dial(b.URL())
	if err != nil {
		b.t.Fatalf("amqptest: %v", err)
	}
	ch, err := conn.Channel()
	if err != nil {
		_ = conn.Close()
		b.t.Fatalf("amqptest: %v", err)
	}
	return conn, ch
}

// do calls f with a new channel, and fails the test if f fails.
func (b *Broker) do(f func(*amqp.Channel) error) {
	b.t.Helper()
	conn, ch := b.open()
	defer conn.Close()
	if err := f(ch); err != nil {
		b.t.Fatalf("amqptest: %v", err)
	}
}

// DeclareQueue declares a durable queue. The type and limits of the queue are in args, as
// for [amqp.Channel.QueueDeclare].
func (b *Broker) DeclareQueue(name string, args amqp.Table) {
	b.t.Helper()
	b.do(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, args)
		return err
	})
}

// DeclareExchange declares a durable exchange of a kind: direct, fanout, topic or headers.
func (b *Broker) DeclareExchange(name, kind string) {
	b.t.Helper()
	b.do(func(ch *amqp.Channel) error { return ch.ExchangeDeclare(name, kind, true, false, false, false, nil) })
}

// BindQueue binds a queue to an exchange.
func (b *Broker) BindQueue(queue, key, exchange string) {
	b.t.Helper()
	b.do(func(ch *amqp.Channel) error { return ch.QueueBind(queue, key, exchange, false, nil) })
}

// CutConnections drops every connection without closing it properly, as a network failure
// does. Queues and messages stay, except for exclusive queues, and clients may connect
// again.
func (b *Broker) CutConnections() { b.broker.CutConnections() }

// BlockPublishers raises a resource alarm: a connection that publishes gets
// connection.blocked with the reason, and is not read from until
// [Broker.UnblockPublishers]. As in RabbitMQ, the message that it has published still goes
// through.
func (b *Broker) BlockPublishers(reason string) { b.broker.BlockPublishers(reason) }

// UnblockPublishers ends the alarm.
func (b *Broker) UnblockPublishers() { b.broker.UnblockPublishers() }

// RefuseConfirms makes the broker drop and nack every message published in confirm mode,
// until it is called with false.
func (b *Broker) RefuseConfirms(refuse bool) { b.broker.RefuseConfirms(refuse) }

// DelayConfirms delays each confirm until d after the message was accepted, by the broker's
// clock. A delay of 0 sends confirms at once again.
func (b *Broker) DelayConfirms(d time.Duration) { b.broker.DelayConfirms(d) }

// Advance moves the broker's clock forward. Everything that falls due, such as TTLs and
// delayed confirms, has happened when it returns.
func (b *Broker) Advance(d time.Duration) { b.broker.Advance(b.clock, d) }
