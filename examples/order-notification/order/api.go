package order

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/mqtrace/mqtrace/examples/order-notification/httpserver"
)

const maxBody = 64 << 10

// createOrder handles POST /orders.
func (s *Service) createOrder(w http.ResponseWriter, r *http.Request) {
	tenant, err := tenantOf(r)
	if err != nil {
		httpserver.WriteError(w, r, http.StatusBadRequest, "bad_tenant", err.Error())
		return
	}
	var request Request
	if status, code, err := decode(w, r, &request); err != nil {
		httpserver.WriteError(w, r, status, code, err.Error())
		return
	}
	if err := request.validate(); err != nil {
		httpserver.WriteError(w, r, http.StatusUnprocessableEntity, "invalid_order", err.Error())
		return
	}
	ctx := r.Context()
	if tenant != "" {
		ctx = withTenant(ctx, tenant)
	}
	o := newOrder(request, tenant)
	outcome, _ := s.place(ctx, o) // The outcome is enough, and the error has been logged.
	answer(w, r, o, outcome)
}

func answer(w http.ResponseWriter, r *http.Request, o Order, outcome Outcome) {
	var status int
	var message string
	switch outcome {
	case Accepted:
		httpserver.WriteJSON(w, http.StatusCreated, o)
		return
	case OutOfStock:
		status, message = http.StatusConflict, "an article is out of stock"
	case PaymentDeclined:
		status, message = http.StatusPaymentRequired, "the payment was declined"
	case PaymentFailed:
		status, message = http.StatusBadGateway, "the payment could not be made"
	case NotPublished:
		status, message = http.StatusServiceUnavailable, "the order is paid and its confirmation is delayed"
	}
	httpserver.WriteError(w, r, status, string(outcome), message)
}

// decode reads one JSON object and nothing after it.
func decode(w http.ResponseWriter, r *http.Request, into any) (status int, code string, err error) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(into)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("unexpected data after the JSON object")
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return 0, "", nil
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, "too_large", err
	default:
		return http.StatusBadRequest, "bad_json", err
	}
}
