package showcase

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// dialTimeout is RabbitMQ's own handshake timeout.
const dialTimeout = 10 * time.Second

// Stage is the environment that an example runs in.
type Stage struct {
	// Conn is the connection that all services of the example share.
	Conn *amqp.Connection

	broker *amqpbroker.Broker // nil if the broker is real
	prefix string             // of names on a real broker, which others may use too
	remove []func(*amqp.Channel) error
	spans  *recorder

	ctx     context.Context
	stop    context.CancelCauseFunc
	workers sync.WaitGroup
}

func open(ctx context.Context, url string) (*Stage, error) {
	s := &Stage{spans: newRecorder()}
	s.ctx, s.stop = context.WithCancelCause(ctx)
	var err error
	if url == "" {
		if s.broker, err = amqpbroker.Start(); err != nil {
			return nil, fmt.Errorf("start the in-process broker: %w", err)
		}
		url = s.broker.URL()
	} else {
		s.prefix = "example-" + strings.ToLower(rand.Text()[:8]) + "."
	}
	if s.Conn, err = dial(url); err != nil {
		return nil, errors.Join(err, s.close())
	}
	lost := s.Conn.NotifyClose(make(chan *amqp.Error, 1))
	go func() {
		if err := <-lost; err != nil { // nil after our own Close
			s.stop(err)
		}
	}()
	return s, nil
}

func dial(url string) (*amqp.Connection, error) {
	uri, err := amqp.ParseURI(url)
	if err != nil {
		// The parser's error quotes the URL, password included.
		return nil, errors.New(BrokerVariable + " is not a valid amqp:// URL")
	}
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(dialTimeout)})
	if err != nil {
		addr := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
		return nil, fmt.Errorf("connect to RabbitMQ at %s (%s): %w", addr, BrokerVariable, err)
	}
	return conn, nil
}

// Name returns the name that a queue or an exchange has on this broker.
func (s *Stage) Name(name string) string { return s.prefix + name }

// Exchange declares a direct exchange and returns its name on this broker.
func (s *Stage) Exchange(ch *amqp.Channel, name string) (string, error) {
	name = s.Name(name)
	s.remove = append(s.remove, func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, false, false) })
	return name, ch.ExchangeDeclare(name, amqp.ExchangeDirect, true, false, false, false, nil)
}

// Queue declares a queue and returns its name on this broker.
func (s *Stage) Queue(ch *amqp.Channel, name string, args amqp.Table) (string, error) {
	name = s.Name(name)
	s.remove = append(s.remove, func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete(name, false, false, false)
		return err
	})
	_, err := ch.QueueDeclare(name, true, false, false, false, args)
	return name, err
}

// Consume consumes from a queue on a new channel. The deliveries have to be acknowledged.
func (s *Stage) Consume(queue string, prefetch int) (<-chan amqp.Delivery, error) {
	ch, err := s.Conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, err
	}
	return ch.Consume(queue, "", false, false, false, false, nil)
}

// Go runs a function in the background until the example's context is done. Its error fails
// the example.
func (s *Stage) Go(run func() error) {
	s.workers.Go(func() {
		if err := run(); err != nil {
			s.stop(err)
		}
	})
}

// OnStop registers a function to be called when the example ends, to stop what [Stage.Go]
// runs if that ignores the context.
func (s *Stage) OnStop(stop func()) { context.AfterFunc(s.ctx, stop) }

// close stops what is running and deletes what the example declared on the broker.
func (s *Stage) close() error {
	s.stop(nil)
	s.workers.Wait()
	var errs []error
	if s.Conn != nil && !s.Conn.IsClosed() {
		errs = append(errs, s.clean(), s.Conn.Close())
	}
	if s.broker != nil {
		errs = append(errs, s.broker.Close())
	}
	return errors.Join(errs...)
}

func (s *Stage) clean() error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	var errs []error
	for _, remove := range s.remove {
		errs = append(errs, remove(ch))
	}
	return errors.Join(errs...)
}
