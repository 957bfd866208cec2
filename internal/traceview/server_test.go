package traceview_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

func listen(t *testing.T, store *traceview.Store) *traceview.Server {
	t.Helper()

	srv, err := traceview.Listen("127.0.0.1:0", store)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = srv.Close() })

	return srv
}

// provider sets up the SDK of one service as a program would.
func provider(t *testing.T, endpoint, service string, opts ...otlptracehttp.Option) *sdktrace.TracerProvider {
	t.Helper()

	exporter, err := otlptracehttp.New(t.Context(), append(opts, otlptracehttp.WithEndpointURL(endpoint+traceview.TracesPath))...)
	if err != nil {
		t.Fatal(err)
	}

	tp := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithBatchTimeout(50*time.Millisecond)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))

	t.Cleanup(func() {
		if err := tp.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})

	return tp
}

func TestEndToEndWithTheSDK(t *testing.T) {
	for name, opts := range map[string][]otlptracehttp.Option{
		"plain": {otlptracehttp.WithCompression(otlptracehttp.NoCompression)},
		"gzip":  {otlptracehttp.WithCompression(otlptracehttp.GzipCompression)},
	} {
		t.Run(name, func(t *testing.T) {
			store := traceview.NewStore(traceview.Limits{})
			srv := listen(t, store)
			api := provider(t, srv.URL(), "order-api", opts...).Tracer("api", trace.WithInstrumentationVersion("1.2.3"))
			worker := provider(t, srv.URL(), "email-worker", opts...).Tracer("worker")

			ctx, root := api.Start(t.Context(), "POST /orders", trace.WithSpanKind(sample.Server))
			ctx, sent := api.Start(ctx, "publish orders", trace.WithSpanKind(sample.Producer),
				trace.WithAttributes(attribute.StringSlice("list", []string{"a", "b"})))
			sent.End()

			_, processed := worker.Start(ctx, "process orders", trace.WithSpanKind(sample.Consumer),
				trace.WithLinks(trace.LinkFromContext(ctx)))
			processed.AddEvent("event", trace.WithAttributes(attribute.Int("n", 1)))
			processed.SetStatus(codes.Error, "mailbox full")
			processed.End()
			root.End()

			id := root.SpanContext().TraceID()

			wait, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()

			if !store.Wait(wait, id, func(tr spans.Trace) bool { return len(tr.Spans) == 3 }) {
				t.Fatalf("not all spans came: %+v", store.Traces())
			}

			tr, _ := store.Trace(id)
			checkSDKSpan(t, tr, root, spans.Span{Name: "POST /orders", Kind: sample.Server, Service: "order-api"})
			checkSDKSpan(t, tr, sent, spans.Span{
				Name: "publish orders", Kind: sample.Producer, Service: "order-api", ParentID: root.SpanContext().SpanID(),
				Attributes: spans.Attributes{{Key: "list", Value: []any{"a", "b"}}},
			})
			checkSDKSpan(t, tr, processed, spans.Span{
				Name: "process orders", Kind: sample.Consumer, Service: "email-worker", ParentID: sent.SpanContext().SpanID(),
				Status: spans.Status{Code: codes.Error, Message: "mailbox full"},
			})

			var drawn strings.Builder
			if err := terminal.WriteTree(&drawn, tr, terminal.Options{}); err != nil {
				t.Fatal(err)
			}

			got := drawn.String()
			for _, want := range []string{"2 services · 3 spans", "waited in orders", "✖ process orders", "mailbox full"} {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
		})
	}
}

func checkSDKSpan(t *testing.T, tr spans.Trace, span trace.Span, want spans.Span) {
	t.Helper()

	got, ok := tr.Span(span.SpanContext().SpanID())
	if !ok {
		t.Fatalf("%s is not there", want.Name)
	}

	if got.Name != want.Name || got.Kind != want.Kind || got.Service != want.Service ||
		got.ParentID != want.ParentID || got.Status != want.Status ||
		fmt.Sprint(got.Attributes) != fmt.Sprint(want.Attributes) || got.End.Before(got.Start) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestListenAddresses(t *testing.T) {
	for addr, want := range map[string]string{":0": "http://127.0.0.1:", "127.0.0.1:0": "http://127.0.0.1:", "0.0.0.0:0": "http://127.0.0.1:"} {
		srv, err := traceview.Listen(addr, traceview.NewStore(traceview.Limits{}), traceview.AllowNonLoopback())
		if err != nil {
			t.Fatal(err)
		}

		if !strings.HasPrefix(srv.URL(), want) || strings.HasSuffix(srv.URL(), ":0") {
			t.Errorf("%s: %s", addr, srv.URL())
		}

		if err := srv.Close(); err != nil {
			t.Error(err)
		}

		if err := srv.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
	}

	for _, addr := range []string{"", "127.0.0.1", "127.0.0.1:nonsense", "192.0.2.1:0", "0.0.0.0:0"} {
		if srv, err := traceview.Listen(addr, traceview.NewStore(traceview.Limits{})); err == nil {
			t.Errorf("%q: no error", addr)

			_ = srv.Close()
		}
	}
}

func TestListenTakesOnlyLoopbackNames(t *testing.T) {
	srv := listen(t, traceview.NewStore(traceview.Limits{}))

	u, err := url.Parse(srv.URL())
	if err != nil {
		t.Fatal(err)
	}

	for host, want := range map[string]int{
		u.Host: 200, "localhost:" + u.Port(): 200, "LOCALHOST": 200, "view.localhost": 200, "[::1]:4318": 200, "127.8.9.1": 200,
		"10.0.0.1": 403, "[2001:db8::1]:4318": 403,
		"evil.example": 403, "evil.example:" + u.Port(): 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+traceview.TracesPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}

		req.Host = host
		req.Header.Set("Content-Type", protobufType)
		// A page that was rebound to this address is of the same origin as its name.
		req.Header.Set("Origin", "http://"+host)

		res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}

		_ = res.Body.Close()

		if res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", host, res.StatusCode, want)
		}
	}
}

// A server that other machines can reach may be addressed by an IP address, or by its
// configured name.
func TestListenForOthersTakesNoOtherNames(t *testing.T) {
	for addr, hosts := range map[string]map[string]int{
		"0.0.0.0:0":   {"10.0.0.1:4318": 200, "[2001:db8::1]:4318": 200, "localhost": 200, "evil.example": 403},
		"localhost:0": {"localhost": 200, "127.0.0.1": 200, "10.0.0.1": 403, "evil.example": 403},
	} {
		srv, err := traceview.Listen(addr, traceview.NewStore(traceview.Limits{}), traceview.AllowNonLoopback())
		if err != nil {
			t.Fatal(err)
		}

		for host, want := range hosts {
			for _, path := range []string{"/", "/api/traces"} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}

				req.Host = host

				res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}

				_ = res.Body.Close()

				if res.StatusCode != want {
					t.Errorf("%s, asked for %s as %s: %d, want %d", addr, path, host, res.StatusCode, want)
				}
			}
		}

		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Without a host, the server is reachable from other machines if they are allowed.
func TestListenOnAllInterfaces(t *testing.T) {
	srv, err := traceview.Listen(":0", traceview.NewStore(traceview.Limits{}), traceview.AllowNonLoopback())
	if err != nil {
		t.Fatal(err)
	}

	defer srv.Close()

	_, port, _ := strings.Cut(strings.TrimPrefix(srv.URL(), "http://"), ":")

	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}

	for _, addr := range addrs {
		ip, ok := addr.(*net.IPNet)
		if !ok || ip.IP.To4() == nil {
			continue
		}

		conn, err := net.Dial("tcp", net.JoinHostPort(ip.IP.String(), port))
		if err != nil {
			t.Errorf("%s: %v", ip.IP, err)

			continue
		}

		_ = conn.Close()
	}
}
