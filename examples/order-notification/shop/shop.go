// Package shop runs any of the example's services in one process, each with a
// service name, an SDK and a log of its own.
package shop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/examples/order-notification/email"
	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/notification"
	"github.com/mqtrace/mqtrace/examples/order-notification/order"
	"github.com/mqtrace/mqtrace/examples/order-notification/payment"
	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// Part is a part of the shop that can be deployed separately.
type Part string

// The parts.
const (
	Order        Part = "order"
	Notification Part = "notification"
	Email        Part = "email"
)

// anyPort is the address of a server that need not be known beforehand.
const anyPort = "127.0.0.1:0"

// Config configures the parts.
type Config struct {
	AMQPURL string
	Redis   asynq.RedisClientOpt
	Prefix  string // of exchange and queue names

	// HTTPAddr is the address on which the first part listens: the order service for
	// orders, the others for health checks. By default, any port on loopback.
	HTTPAddr string
	// PaymentURL is the payment service. By default, the order part runs a stand-in.
	PaymentURL string

	// Telemetry is passed to each service, with the service's name filled in.
	Telemetry telemetry.Config

	// See [email.Config].
	EmailRetryDelay, EmailPollInterval time.Duration
}

// Shop is a set of running services.
type Shop struct {
	cfg      Config
	units    []*unit // in the order in which they started
	ended    chan struct{}
	endOnce  sync.Once
	orderURL string
}

type runner interface {
	Run(ctx context.Context) error
	URL() string
}

// unit is one running service.
type unit struct {
	name      string
	telemetry *telemetry.Telemetry
	stop      context.CancelFunc
	done      chan struct{}
	err       error // to be read once done is closed
}

// Start starts the parts. Services run until [Shop.Run] stops them; if one cannot start,
// those before it are stopped again.
func Start(ctx context.Context, cfg Config, parts ...Part) (*Shop, error) {
	s := &Shop{cfg: cfg, ended: make(chan struct{})}
	for i, part := range parts {
		addr := anyPort
		if i == 0 && cfg.HTTPAddr != "" {
			addr = cfg.HTTPAddr
		}
		var err error
		switch part {
		case Order:
			err = s.startOrder(ctx, addr)
		case Notification:
			err = s.startNotification(ctx, addr)
		case Email:
			err = s.startEmail(ctx, addr)
		default:
			err = fmt.Errorf("there is no service %q", part)
		}
		if err != nil {
			return nil, errors.Join(err, s.stop(ctx))
		}
	}
	return s, nil
}

// OrderURL returns the base URL of the order API.
func (s *Shop) OrderURL() string { return s.orderURL }

// Run waits until ctx ends or a service fails, and then stops all of them: the last one
// started first, so that a service outlives those that call it. The remaining spans are
// sent at the end, for all services at the same time.
func (s *Shop) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-s.ended:
	}
	return s.stop(ctx)
}

func (s *Shop) stop(ctx context.Context) error {
	var errs []error
	for _, u := range slices.Backward(s.units) {
		u.stop()
		<-u.done
		if u.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", u.name, u.err))
		}
	}
	var flushes sync.WaitGroup
	for _, u := range s.units {
		flushes.Go(func() { u.telemetry.Shutdown(context.WithoutCancel(ctx)) })
	}
	flushes.Wait()
	return errors.Join(errs...)
}

// start sets up a service's telemetry, builds it and lets it run.
func (s *Shop) start(
	ctx context.Context, name string, keepName bool,
	build func(ctx context.Context, t *telemetry.Telemetry) (runner, error),
) (url string, err error) {
	cfg := s.cfg.Telemetry
	cfg.Service = name
	cfg.KeepName = cfg.KeepName || keepName
	t, err := telemetry.Setup(ctx, cfg)
	if err != nil {
		return "", err //nolint:wrapcheck // It names the service.
	}
	service, err := build(ctx, t)
	if err != nil {
		t.Shutdown(context.WithoutCancel(ctx))
		return "", fmt.Errorf("%s: %w", name, err)
	}
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	u := &unit{name: name, telemetry: t, stop: stop, done: make(chan struct{})}
	s.units = append(s.units, u)
	go func() {
		defer s.endOnce.Do(func() { close(s.ended) })
		defer close(u.done)
		u.err = service.Run(runCtx)
	}()
	return service.URL(), nil
}

func (s *Shop) startOrder(ctx context.Context, addr string) (err error) {
	paymentURL := s.cfg.PaymentURL
	if paymentURL == "" {
		// OTEL_SERVICE_NAME is the name of the order service, not of the stand-in beside
		// it.
		paymentURL, err = s.start(ctx, payment.Name, true,
			func(ctx context.Context, t *telemetry.Telemetry) (runner, error) { return payment.New(ctx, anyPort, t) })
		if err != nil {
			return err
		}
	}
	s.orderURL, err = s.start(ctx, order.Name, false, func(ctx context.Context, t *telemetry.Telemetry) (runner, error) {
		return order.New(ctx, order.Config{
			AMQPURL:    s.cfg.AMQPURL,
			Topology:   events.NewTopology(s.cfg.Prefix),
			PaymentURL: paymentURL,
			HTTPAddr:   addr,
		}, t)
	})
	return err
}

func (s *Shop) startNotification(ctx context.Context, addr string) error {
	_, err := s.start(ctx, notification.Name, false,
		func(ctx context.Context, t *telemetry.Telemetry) (runner, error) {
			return notification.New(ctx, notification.Config{
				AMQPURL:    s.cfg.AMQPURL,
				Topology:   events.NewTopology(s.cfg.Prefix),
				Redis:      s.cfg.Redis,
				EmailQueue: tasks.QueueName(s.cfg.Prefix),
				HTTPAddr:   addr,
			}, t)
		})
	return err
}

func (s *Shop) startEmail(ctx context.Context, addr string) error {
	_, err := s.start(ctx, email.Name, false,
		func(ctx context.Context, t *telemetry.Telemetry) (runner, error) {
			return email.New(ctx, email.Config{
				Redis:        s.cfg.Redis,
				Queue:        tasks.QueueName(s.cfg.Prefix),
				HTTPAddr:     addr,
				RetryDelay:   s.cfg.EmailRetryDelay,
				PollInterval: s.cfg.EmailPollInterval,
			}, t)
		})
	return err
}
