package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/email"
	"github.com/mqtrace/mqtrace/examples/order-notification/notification"
	"github.com/mqtrace/mqtrace/examples/order-notification/order"
	"github.com/mqtrace/mqtrace/examples/order-notification/payment"
)

const requestTimeout = 10 * time.Second

// scene is one thing that happens in the demo.
type scene struct {
	title string
	notes []string
	// send triggers it and returns the id of its trace.
	send func(ctx context.Context) (traceID string, err error)
	// spans are the spans that a complete trace has, each as "service: span name".
	spans []string
}

func (s *staging) scenes() []scene {
	var (
		post    = order.Name + ": POST /orders"
		paid    = payment.Name + ": POST /payments"
		notify  = notification.Name + ": process " + s.topology.Queue
		bury    = notification.Name + ": process " + s.topology.DeadLetterQueue
		mail    = email.Name + ": process " + s.emailQueue
		publish = importName + ": publish " + s.topology.Exchange
	)
	return []scene{
		{
			title: "A good order",
			notes: []string{
				"One trace from the HTTP request to the email, through RabbitMQ and through asynq.",
				"tenant.id came in as a header and travelled as baggage to the last span.",
			},
			send:  s.order("customer@example.com", "tok_ok", "tea", http.StatusCreated),
			spans: []string{post, paid, notify, mail},
		},
		{
			title: "An order whose email fails once",
			notes: []string{"The retry is in the same trace: a second attempt under the same enqueue."},
			send:  s.order("flaky@example.com", "tok_ok", "teapot", http.StatusCreated),
			spans: []string{post, paid, notify, mail, mail},
		},
		{
			title: "An order for a sold-out article",
			notes: []string{"An outcome, not an error: no span is red, order.outcome says what happened."},
			send:  s.order("customer@example.com", "tok_ok", "samovar", http.StatusConflict),
			spans: []string{post},
		},
		{
			title: "An order whose payment fails",
			notes: []string{"The payment service panicked: the error is on its span and on everything that waited for it.",
				"Its log line has the stack and the same trace_id (-v shows it)."},
			send:  s.order("customer@example.com", payment.TokenPanic, "tea", http.StatusBadGateway),
			spans: []string{post, paid},
		},
		{
			title: "A malformed message",
			notes: []string{"Rejected, dead-lettered by the broker, and picked up by the dead-letter consumer: one trace."},
			send:  s.publishPoison,
			spans: []string{publish, notify, bury},
		},
	}
}

// order returns a function that orders one article.
func (s *staging) order(recipient, token, sku string, want int) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		body, err := json.Marshal(order.Request{
			Email: recipient, PaymentToken: token, Items: []order.Item{{SKU: sku, Quantity: 1}},
		})
		if err != nil {
			return "", fmt.Errorf("marshal the order: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, requestTimeout)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost,
			s.shop.OrderURL()+"/orders", strings.NewReader(string(body)))
		if err != nil {
			return "", fmt.Errorf("POST /orders: %w", err)
		}
		request.Header.Set(order.TenantHeader, "acme")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return "", fmt.Errorf("POST /orders: %w", err)
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body) // For the error only.
		if response.StatusCode != want {
			return "", fmt.Errorf("POST /orders answers %s instead of %d: %s",
				response.Status, want, strings.TrimSpace(string(answer)))
		}
		return response.Header.Get("X-Trace-Id"), nil
	}
}
