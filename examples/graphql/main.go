// Command graphql shows an order that arrives as a GraphQL mutation and continues through
// RabbitMQ. Root spans are named after the operation instead of POST /graphql, the tenant
// travels as baggage and is copied to each span, and a noisy outgoing call has no span.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/examples/internal/showcase"
)

var example = showcase.Example{
	Name:       "graphql",
	Run:        run,
	Attributes: []string{"tenant.id", "graphql.operation.name"},
	LookAt: `
Look at the roots: "mutation placeOrder" and "query __schema", not POST /graphql twice. tenant.id is on every span of
the order, in billing too. The shop also asked for its feature flags, a call that has no span.`,
}

func main() { example.Main() }

const placeOrder = `{"operationName": "Checkout", "query": "mutation Checkout { placeOrder(sku: \"tea\") { id } }"}`

const introspection = `{"query": "query IntrospectionQuery { __schema { types { name } } }"}`

func run(ctx context.Context, s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.Confirm(false); err != nil {
		return err
	}
	exchange, queue, err := declare(s, ch)
	if err != nil {
		return err
	}
	if err := bill(ctx, s, queue); err != nil {
		return err
	}
	warehouse, err := serve(s, newWarehouse())
	if err != nil {
		return err
	}
	shop := s.Service("shop", copyTenant())
	api, err := newAPI(&orders{
		pub:       amqptrace.NewPublisher(ch, amqptrace.WithTracerProvider(shop)),
		exchange:  exchange,
		client:    newClient(shop),
		warehouse: warehouse,
	})
	if err != nil {
		return err
	}
	url, err := serve(s, traced(api, shop))
	if err != nil {
		return err
	}
	for _, request := range []string{placeOrder, introspection} {
		if err := post(ctx, url+"/graphql", request); err != nil {
			return err
		}
	}
	return errors.Join(s.Await(ctx, 1, "process "+queue), s.Await(ctx, 1, "query __schema"))
}

// bill consumes the orders.
func bill(ctx context.Context, s *showcase.Stage, queue string) error {
	deliveries, err := s.Consume(queue, 10)
	if err != nil {
		return err
	}
	billing := amqptrace.NewConsumer(queue, amqptrace.WithTracerProvider(s.Service("billing", copyTenant())))
	s.Go(func() error {
		for _, d := range billing.Deliveries(ctx, deliveries) {
			if err := d.Ack(false); err != nil {
				return err
			}
		}
		return nil
	})
	return nil
}

// newWarehouse serves the endpoints that the shop calls.
func newWarehouse() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stock/{sku}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "7") })
	mux.HandleFunc("GET /flags", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
	return mux
}

// serve serves HTTP on loopback until the example ends.
func serve(s *showcase.Stage, handler http.Handler) (url string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	s.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	s.OnStop(func() { _ = server.Close() })
	return "http://" + listener.Addr().String(), nil
}

// post is a client that sends no trace context, only the tenant as baggage.
func post(ctx context.Context, url, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Baggage", "tenant.id=acme")
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || strings.Contains(string(answer), `"errors"`) {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return nil
}

func declare(s *showcase.Stage, ch *amqp.Channel) (exchange, queue string, err error) {
	if exchange, err = s.Exchange(ch, "orders"); err != nil {
		return "", "", err
	}
	if queue, err = s.Queue(ch, "billing", nil); err != nil {
		return "", "", err
	}
	return exchange, queue, ch.QueueBind(queue, "order.created", exchange, false, nil)
}
