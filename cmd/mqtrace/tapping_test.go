package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/traceview"
)

// tapping is a running `mqtrace tap`, with a receiver for its spans.
type tapping struct {
	t      *testing.T
	store  *traceview.Store
	view   *traceview.Server
	stderr *transcript
	cancel context.CancelFunc
	done   chan result
}

func startTap(t *testing.T, args ...string) *tapping {
	t.Helper()
	store := traceview.NewStore(traceview.Limits{})
	view, err := traceview.Listen("127.0.0.1:0", store)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = view.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	p := &tapping{t: t, store: store, view: view, stderr: newTranscript(), cancel: cancel, done: make(chan result, 1)}
	go func() {
		var stdout strings.Builder
		code := run(ctx, append([]string{"mqtrace", "tap", "-endpoint", view.URL()}, args...), &stdout, p.stderr)
		p.stderr.end()
		p.done <- result{code: code, stdout: stdout.String()}
	}()
	return p
}

// await reads standard error up to a line with the text.
func (p *tapping) await(text string) {
	p.t.Helper()
	for {
		line, ok := p.stderr.line()
		if !ok {
			p.t.Fatalf("ended without saying %q", text)
		}
		if strings.Contains(line, text) {
			return
		}
	}
}

// end stops the tap as a signal would. The result has all of standard error, because what
// comes before or after an awaited line depends on timing.
func (p *tapping) end() result {
	p.t.Helper()
	p.cancel()
	r := <-p.done
	r.stderr = p.stderr.text
	return r
}

// transcript is what a tap prints. It is always read, because a tap that cannot write would
// block.
type transcript struct {
	mu    sync.Mutex
	more  *sync.Cond
	text  string
	read  int // of text
	ended bool
}

func newTranscript() *transcript {
	s := new(transcript)
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(p)
	s.more.Broadcast()
	return len(p), nil
}

func (s *transcript) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.more.Broadcast()
}

// line returns the next line, once there is one.
func (s *transcript) line() (line string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !strings.Contains(s.text[s.read:], "\n") {
		if s.ended {
			return "", false
		}
		s.more.Wait()
	}
	line, _, _ = strings.Cut(s.text[s.read:], "\n")
	s.read += len(line) + 1
	return line, true
}

// provider returns the provider of a service that sends its spans to the same receiver.
func (p *tapping) provider(service string) *sdktrace.TracerProvider {
	p.t.Helper()
	exporter, err := otlptracehttp.New(p.t.Context(), otlptracehttp.WithEndpointURL(p.view.URL()+traceview.TracesPath))
	if err != nil {
		p.t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))))
	p.t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider
}

// managementOf answers as RabbitMQ's management API, for the in-process broker.
func managementOf(t *testing.T, s firehosetest.Server) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "guest" || password != "guest" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodPut {
			body, _ := io.ReadAll(r.Body)
			s.Trace(t, strings.Contains(string(body), `"tracing":true`))
		}
		_, _ = fmt.Fprint(w, "{}")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func firehoseOn(t *testing.T, url string) bool {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other, err := tap.Open(conn, tap.Config{TracerProvider: sdktrace.NewTracerProvider(), MaxRate: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	on, err := other.On(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// order sends a message through an exchange to a service, which sends an unroutable one.
func order(t *testing.T, p *tapping, ch *amqp.Channel) trace.TraceID {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(ch.ExchangeDeclare("orders", "direct", false, true, false, false, nil))
	_, err := ch.QueueDeclare("billing", false, false, true, false, nil)
	must(err)
	must(ch.QueueBind("billing", "order.created", "orders", false, nil))
	options := func(service string) []amqptrace.Option {
		return []amqptrace.Option{amqptrace.WithTracerProvider(p.provider(service)), amqptrace.WithPropagators(tracecontext.Propagator())}
	}
	var id trace.TraceID
	pub := amqptrace.NewPublisher(ch, options("shop")...)
	must(pub.PublishWithContext(t.Context(), "orders", "order.created", false, false, amqp.Publishing{Body: []byte("{}")}))
	deliveries, err := ch.Consume("billing", "", true, false, false, false, nil)
	must(err)
	must(amqptrace.NewConsumer("billing", options("billing")...).Handler(func(ctx context.Context, _ amqp.Delivery) error {
		id = trace.SpanContextFromContext(ctx).TraceID()
		return amqptrace.NewPublisher(ch, options("billing")...).PublishWithContext(ctx, "orders", "order.billed", false, false, amqp.Publishing{})
	})(t.Context(), <-deliveries))
	return id
}
