package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tap"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
	"github.com/mqtrace/mqtrace/internal/amqpbroker/firehosetest"
	"github.com/mqtrace/mqtrace/internal/traceview"
)

const tapPatience = 20 * time.Second

// tapping is `mqtrace tap` running, with a receiver for its spans.
type tapping struct {
	t      *testing.T
	store  *traceview.Store
	view   *traceview.Server
	stderr *bufio.Reader
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
	ctx, cancel := context.WithTimeout(t.Context(), tapPatience)
	t.Cleanup(cancel)
	r, w := io.Pipe()
	p := &tapping{t, store, view, bufio.NewReader(r), cancel, make(chan result, 1)}
	go func() {
		var stdout strings.Builder
		code := run(ctx, append([]string{"mqtrace", "tap", "-endpoint", view.URL()}, args...), &stdout, w)
		_ = w.Close()
		p.done <- result{code: code, stdout: stdout.String()}
	}()
	return p
}

// await reads standard error up to a line with the text.
func (p *tapping) await(text string) {
	p.t.Helper()
	for {
		line, err := p.stderr.ReadString('\n')
		if strings.Contains(line, text) {
			return
		}
		if err != nil {
			p.t.Fatalf("ended without saying %q", text)
		}
	}
}

// end is what a signal does.
func (p *tapping) end() result {
	p.t.Helper()
	p.cancel()
	rest, err := io.ReadAll(p.stderr)
	if err != nil {
		p.t.Error(err)
	}
	r := <-p.done
	r.stderr = string(rest)
	return r
}

// provider is that of a service which sends its spans to the same receiver.
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

// The broker stands between two services that know nothing of the tap.
func TestTap(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, true)
		p := startTap(t, "-amqp", s.URL, "-interval", "50ms", "-o", "json")
		p.await("seen 0")
		ch := openChannel(t, s.URL)
		id := order(t, p, ch)
		ctx, cancel := context.WithTimeout(t.Context(), tapPatience)
		defer cancel()
		if !p.store.Wait(ctx, id, func(tr traceview.Trace) bool { return len(tr.Spans) == 6 }) {
			t.Error("the trace is not complete")
		}
		r := p.end()
		if r.code != 0 {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
		golden(t, "tap.json", r.stdout)
		tr, _ := p.store.Trace(id)
		golden(t, "tap-spans", describe(tr))
	})
}

// describe is a line a span, in an order that does not depend on who was faster.
func describe(tr traceview.Trace) string {
	names := map[trace.SpanID]string{}
	for _, s := range tr.Spans {
		names[s.SpanID] = s.Service + ": " + s.Name
	}
	var lines []string
	for _, s := range tr.Spans {
		lines = append(lines, fmt.Sprintf("%s: %s (%s), below %q, %v %q\n", s.Service, s.Name, s.Kind, names[s.ParentID], s.Status.Code, s.Status.Message))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// order sends a message through an exchange to a service, which sends one to nowhere.
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

// The firehose is off again if, and only if, the tap has turned it on.
func TestTapTurnsOn(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		args := []string{"-amqp", s.URL, "-turn-on", "-interval", "20ms"}
		if s.InProcess != nil {
			args = append(args, "-management", managementOf(t, s))
		}
		for _, before := range []bool{false, true} {
			if before {
				s.Trace(t, true)
			}
			p := startTap(t, args...)
			p.await("seen 0")
			if !firehoseOn(t, s.URL) {
				t.Error("it is off while the tap runs")
			}
			if r := p.end(); r.code != 0 {
				t.Errorf("exit code %d, %s", r.code, r.stderr)
			}
			if after := firehoseOn(t, s.URL); after != before {
				t.Errorf("it is on: %v, and was before: %v", after, before)
			}
		}
	})
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

func TestTapOff(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		p := startTap(t, "-amqp", s.URL, "-for", "300ms", "-interval", "0")
		p.await("rabbitmqctl trace_on -p '" + s.VHost + "'")
		p.await("seen 0")
		if r := <-p.done; r.code != 0 {
			t.Errorf("exit code %d", r.code)
		}
		if s.InProcess == nil {
			return
		}
		// A management API of something else.
		deaf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") }))
		defer deaf.Close()
		fails(t, exitFailed, "is it another RabbitMQ's?", "tap", "-amqp", s.URL, "-turn-on", "-management", deaf.URL)
		fails(t, exitFailed, "still on", "tap", "-amqp", s.URL, "-turn-on", "-management", "http://u:geheim@127.0.0.1:1")
	})
}

func TestTapUsage(t *testing.T) {
	golden(t, "tap-help", ok(t, "tap", "-h"))
	for _, args := range [][]string{
		{`argument "x"`, "x"},
		{"must be above 0", "-max-rate", "0"},
		{"must not be below 0", "-interval", "-1s"},
		{"-amqp is not a valid", "-amqp", "http://u:geheim@h"},
		{"-amqp is not a valid", "-turn-on", "-amqp", "http://u:geheim@h"},
		{"-endpoint is not a valid", "-endpoint", "u:geheim@h:1"},
		{"-endpoint is not a valid", "-endpoint", "http://u:geheim@h:x"},
		{"-management is not a valid", "-turn-on", "-management", "http://u:geheim@h:x"},
		{"-turn-on needs -management", "-turn-on", "-amqp", "amqp://u:geheim@rabbit.example"},
	} {
		r := tool(t, append([]string{"tap"}, args[1:]...)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, args[0]) || strings.Contains(r.stderr, "geheim") {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "://u:geheim@h")
	if r := tool(t, "tap"); r.code != exitUsage || !strings.Contains(r.stderr, "OTEL_EXPORTER_OTLP_ENDPOINT is not") || strings.Contains(r.stderr, "geheim") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	fails(t, exitUsage, "not built in", "tap")
}

// What goes wrong with the export is said once and shows no password.
func TestTapExportFails(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, true)
		p := startTap(t, "-amqp", s.URL, "-roots", "-interval", "50ms", "-endpoint", "http://user:geheim@127.0.0.1:1/")
		p.await("seen 0")
		ch := openChannel(t, s.URL)
		if err := ch.PublishWithContext(t.Context(), "", "none", false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		p.await("seen 1")
		r := p.end()
		if r.code != 0 || strings.Count(r.stderr, "export spans:") != 1 || !strings.Contains(r.stderr, "failed 1)") || strings.Contains(r.stderr, "geheim") {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
	})
}
