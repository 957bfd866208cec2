// Package payment is a stand-in for a payment provider: an HTTP service whose answer
// depends on the payment token.
package payment

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/examples/order-notification/httpserver"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

const (
	// Name is the service's name.
	Name = "payment-service"
	// Path is the path that payments are posted to.
	Path = "/payments"

	maxBody = 16 << 10
)

// Request is the body of POST /payments.
type Request struct {
	OrderID string `json:"order_id"`
	Amount  int    `json:"amount"` // in cents
	Token   string `json:"token"`
}

// Service is the payment service.
type Service struct {
	log    *slog.Logger
	tracer trace.Tracer
	server *httpserver.Server
	fees   []int // Empty: indexing it is the bug that TokenPanic triggers.
}

// New listens on the HTTP address. The caller calls [Service.Run].
func New(ctx context.Context, addr string, t *telemetry.Telemetry) (*Service, error) {
	s := &Service{log: t.Log, tracer: t.Tracer()}
	mux := httpserver.NewHealthMux(func(context.Context) error { return nil })
	mux.HandleFunc("POST "+Path, s.createPayment)
	var err error
	s.server, err = httpserver.Listen(ctx, addr, httpserver.NewHandler(mux, t))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// URL returns the base URL of the service.
func (s *Service) URL() string { return s.server.URL() }

// Run accepts payments until ctx is done.
func (s *Service) Run(ctx context.Context) error { return s.server.Run(ctx) }

func (s *Service) createPayment(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	var request Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&request); err != nil {
		httpserver.WriteError(w, r, http.StatusBadRequest, "bad_json", err.Error())
		return
	}
	switch err := s.authorize(ctx, request); {
	case err == nil:
		httpserver.WriteJSON(w, http.StatusCreated, map[string]string{"status": "authorized"})
	case err.declined():
		s.log.WarnContext(ctx, "payment declined", "order_id", request.OrderID, "error", err)
		httpserver.WriteError(w, r, http.StatusPaymentRequired, err.ErrorType(), err.Error())
	default:
		s.log.ErrorContext(ctx, "payment failed", "order_id", request.OrderID, "error", err)
		httpserver.WriteError(w, r, http.StatusServiceUnavailable, err.ErrorType(), err.Error())
	}
}
