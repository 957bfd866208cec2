package order

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/events"
	"github.com/mqtrace/mqtrace/examples/order-notification/httpserver"
	"github.com/mqtrace/mqtrace/examples/order-notification/rabbit"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// Name is the service's name.
const Name = "order-service"

// Config configures the service.
type Config struct {
	AMQPURL    string
	Topology   events.Topology
	PaymentURL string
	HTTPAddr   string
}

// Service is the order service.
type Service struct {
	log       *slog.Logger
	tracer    trace.Tracer
	inventory *inventory
	payments  *paymentClient
	conn      *rabbit.Conn
	publisher *publisher
	server    *httpserver.Server
}

// New connects to the broker and listens on the HTTP address. The caller calls
// [Service.Run].
func New(ctx context.Context, cfg Config, t *telemetry.Telemetry) (*Service, error) {
	conn, err := rabbit.Dial(ctx, cfg.AMQPURL, Name, t.Log)
	if err != nil {
		return nil, err
	}
	s := &Service{
		log:       t.Log,
		tracer:    t.Tracer(),
		inventory: newInventory(),
		payments:  newPaymentClient(cfg.PaymentURL, t),
		conn:      conn,
	}
	if s.publisher, err = newPublisher(conn, cfg.Topology, t); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if s.server, err = httpserver.Listen(ctx, cfg.HTTPAddr, s.handler(t)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

func (s *Service) handler(t *telemetry.Telemetry) http.Handler {
	mux := httpserver.NewHealthMux(s.conn.Health)
	mux.HandleFunc("POST /orders", s.createOrder)
	return httpserver.NewHandler(mux, t)
}

// URL returns the base URL of the API.
func (s *Service) URL() string { return s.server.URL() }

// Run accepts orders until ctx is done or the broker is gone for good.
func (s *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case err := <-s.conn.Lost():
			stop(err)
		case <-ctx.Done():
		}
	}()
	s.log.InfoContext(ctx, "taking orders", "url", s.URL())
	err := s.server.Run(ctx)
	s.payments.close()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, s.conn.Close())
}
