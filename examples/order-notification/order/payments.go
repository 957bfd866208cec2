package order

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/mqtrace/mqtrace/examples/order-notification/payment"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

const (
	paymentTimeout = 5 * time.Second
	maxAnswer      = 64 << 10
)

// paymentError is the error for a payment that was not made.
type paymentError struct {
	outcome Outcome
	reason  string
}

func (e *paymentError) Error() string { return e.reason }

// ErrorType returns the span's error.type.
func (e *paymentError) ErrorType() string { return string(e.outcome) }

// paymentClient calls the payment service over HTTP.
type paymentClient struct {
	url       string
	transport *http.Transport
	http      *http.Client
}

func newPaymentClient(baseURL string, t *telemetry.Telemetry) *paymentClient {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	return &paymentClient{
		url:       strings.TrimSuffix(baseURL, "/") + payment.Path,
		transport: transport,
		http: &http.Client{
			Timeout: paymentTimeout,
			Transport: otelhttp.NewTransport(transport,
				otelhttp.WithTracerProvider(t.TracerProvider),
				otelhttp.WithMeterProvider(t.MeterProvider),
				otelhttp.WithPropagators(t.Propagators),
				otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
					// The whole path is constant here, so it may be in the name.
					return r.Method + " " + r.URL.Path
				})),
		},
	}
}

// charge takes the payment. Its errors are *paymentError.
func (c *paymentClient) charge(ctx context.Context, o Order) error {
	body, err := json.Marshal(payment.Request{OrderID: o.ID, Amount: o.Total, Token: o.Token})
	if err != nil {
		return &paymentError{PaymentFailed, fmt.Sprintf("payment request: %v", err)}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return &paymentError{PaymentFailed, fmt.Sprintf("payment request: %v", err)}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return &paymentError{PaymentFailed, fmt.Sprintf("payment service does not answer: %v", err)}
	}
	defer response.Body.Close()
	// Read to the end: only then does the client's span end and can the connection be
	// reused.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer))
	switch response.StatusCode {
	case http.StatusCreated:
		return nil
	case http.StatusPaymentRequired:
		return &paymentError{PaymentDeclined, "payment declined"}
	default:
		return &paymentError{PaymentFailed, "payment service answers " + response.Status}
	}
}

func (c *paymentClient) close() { c.transport.CloseIdleConnections() }
