package main

import (
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
	"github.com/mqtrace/mqtrace/internal/traceview"
)

// A password that has to be escaped is not taken for a host, and no part of it is printed.
func TestPasswordsThatNeedEscaping(t *testing.T) {
	for _, url := range []string{"amqp://guest:p@ss/w#rd@127.0.0.1:5672/", "amqp://bob:1234?pw@host/", "amqp://bob:geheim/1@host:5672/"} {
		r := tool(t, "peek", "amqp", "orders", "-amqp", url)
		if r.code != exitUsage || !strings.Contains(r.stderr, "write %2F for /") {
			t.Errorf("%s: exit code %d, %s", url, r.code, r.stderr)
		}
		for _, part := range []string{"ss", "w#rd", "1234", "bob", "geheim"} {
			if strings.Contains(strings.ReplaceAll(r.stderr, "password", ""), part) {
				t.Errorf("%s: %q is in %s", url, part, r.stderr)
			}
		}
	}
	if r := tool(t, "peek", "asynq", "emails", "-redis", "redis://u:a/b@127.0.0.1:6379/0"); r.code != exitUsage || !strings.Contains(r.stderr, "%2F") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
}

// The same holds for the addresses of HTTP servers.
func TestPasswordsInHTTPAddresses(t *testing.T) {
	clearTelemetry(t)
	t.Setenv("MQTRACE_AMQP_URL", "amqp://127.0.0.1:1/")
	for _, url := range []string{"http://bob:12/geheim@127.0.0.1:1", "http://bob:1?geheim@host", "http://bob:#geheim@host", "http://geheim/x@host"} {
		for _, args := range [][]string{
			{"queues", "-view", url},
			{"queues", writeFile(t, "{}"), "-management", url},
			{"peek", "amqp", "q", "-management", url},
			{"tap", "-turn-on", "-management", url},
			{"tap", "-endpoint", url},
			{"trace", traceA, "-tempo", url},
		} {
			if r := tool(t, args...); r.code != exitUsage || strings.Contains(r.stderr, "geheim") {
				t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
			}
		}
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
		if r := tool(t, "tap"); r.code != exitUsage || strings.Contains(r.stderr, "geheim") {
			t.Errorf("%s: exit code %d, %s", url, r.code, r.stderr)
		}
		b, err := amqpbroker.Start()
		if err != nil {
			t.Fatal(err)
		}
		if r := tool(t, "send", "amqp", "-amqp", b.URL(), "-key", "q"); r.code != exitUsage || strings.Contains(r.stderr, "geheim") {
			t.Errorf("%s: exit code %d, %s", url, r.code, r.stderr)
		}
		_ = b.Close()
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	}
}

// What keeps spans from being sent is reported before anything is sent.
func TestSendRefusesWhatCannotBeExported(t *testing.T) {
	for text, env := range map[string][2]string{
		"OTLP over gRPC is not built in": {"http://127.0.0.1:4317", "grpc"},
		"OTEL_EXPORTER_OTLP_ENDPOINT is not a valid http:// URL, such as http://localhost:4318": {"localhost:4318", ""},
	} {
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", env[0])
		t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", env[1])
		b, err := amqpbroker.Start()
		if err != nil {
			t.Fatal(err)
		}
		fails(t, exitUsage, text, "send", "amqp", "-amqp", b.URL(), "-key", "orders")
		_ = b.Close()
	}
}

// The first digits of an id are enough, as lists show them.
func TestTraceByAShortID(t *testing.T) {
	in, err := os.ReadFile(sample("order.json"))
	if err != nil {
		t.Fatal(err)
	}
	view, err := traceview.Listen("127.0.0.1:0", traceview.NewStore(traceview.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	for _, path := range []string{"/v1/traces/", "//v1/traces"} { // as exporters misspell it
		response, err := http.Post(view.URL()+path, "application/json", bytes.NewReader(in))
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(path, response, err)
		}
		_ = response.Body.Close()
	}
	if got, want := ok(t, "trace", traceA[:8], "-view", view.URL()), ok(t, "trace", sample("order.json"), "-id", traceA); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	fails(t, exitFailed, "no trace whose id begins with ffffffff", "trace", "ffffffff", "-view", view.URL())
	http.DefaultClient.CloseIdleConnections()
}

// If there is no such queue, the error lists those that exist.
func TestPeekNamesTheQueuesThereAre(t *testing.T) {
	onRedis(t, func(t *testing.T, addr, queue string) {
		client := asynq.NewClient(redisAt(t, addr))
		defer client.Close()
		if _, err := client.Enqueue(asynq.NewTask("mail", nil), asynq.Queue(queue)); err != nil {
			t.Fatal(err)
		}
		fails(t, exitFailed, "; there are ", "peek", "asynq", queue+"-none", "-redis", addr)
	})
}

// Tempo is asked by its second API first.
func TestTraceTempo(t *testing.T) {
	url := jaeger(t, map[string]string{"/api/v2/traces/" + traceA: "order.json"})
	if got := ok(t, "trace", "-tempo", url, traceA); !strings.Contains(got, "trace "+traceA) {
		t.Errorf("%s", got)
	}
	fails(t, exitFailed, "has no trace "+traceB, "trace", "-tempo", url, traceB)
	fails(t, exitUsage, "-tempo", "trace", "-tempo", url, "nonsense")
}
