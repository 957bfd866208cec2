package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

const parentA = "00-" + traceA + "-" + spanA + "-01"

// clearTelemetry clears the variables about traces of a developer's shell.
func clearTelemetry(t *testing.T) {
	t.Helper()
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "OTEL_") || name == "TRACEPARENT" || name == "TRACESTATE" || name == "BAGGAGE" {
			t.Setenv(name, "")
		}
	}
}

// sendNames replaces what differs from run to run.
func sendNames(text, queue string) string {
	return replace(strings.ReplaceAll(strings.ReplaceAll(text, traceA, "TRACE-A"), queue, "orders"),
		`[0-9a-f]{8}-[0-9a-f-]{27}`, "UUID", `[0-9a-f]{32}`, "TRACE", `\b[0-9a-f]{16}\b`, "SPAN")
}

func getOne(t *testing.T, ch *amqp.Channel, queue string) amqp.Delivery {
	t.Helper()
	d, found, err := ch.Get(queue, true)
	if err != nil || !found {
		t.Fatalf("nothing in %s: %v", queue, err)
	}
	return d
}

// A value may contain commas.
func TestSendHeaderWithCommas(t *testing.T) {
	clearTelemetry(t)
	const value = "a,b=c, d"
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		ok(t, "send", "amqp", "-amqp", url, "-key", queue, "-H", "tags="+value, "-H", "n=1")
		if d := getOne(t, ch, queue); d.Headers["tags"] != value || d.Headers["n"] != "1" {
			t.Errorf("headers %v", d.Headers)
		}
	})
	onRedis(t, func(t *testing.T, addr, queue string) {
		ok(t, "send", "asynq", "t", "-redis", addr, "-queue", queue, "-task-id", "1", "-H", "tags="+value)
		inspector := asynq.NewInspector(redisAt(t, addr))
		defer inspector.Close()
		if task, err := inspector.GetTaskInfo(queue, "1"); err != nil || task.Headers["tags"] != value {
			t.Errorf("%v, %+v", err, task)
		}
	})
}

func TestSendAMQP(t *testing.T) {
	clearTelemetry(t)
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		send := func(args ...string) string {
			return ok(t, append([]string{"send", "amqp", "-amqp", url, "-key", queue}, args...)...)
		}

		golden(t, "send-amqp", sendNames(send("-body", "hello", "-trace-url", "http://localhost:16686/trace/{trace_id}"), queue))
		if d := getOne(t, ch, queue); string(d.Body) != "hello" || d.DeliveryMode == amqp.Persistent || d.Headers["traceparent"] == nil {
			t.Errorf("delivery %+v", d)
		}

		t.Setenv("TRACEPARENT", parentA)
		t.Setenv("TRACESTATE", "vendor=1")
		t.Setenv("BAGGAGE", "tenant.id=t1")
		golden(t, "send-amqp.json", sendNames(send("-o", "json", "-body", "", "-persistent", "-H", "tenant=a=b", "-expiration", "1m",
			"-priority", "3", "-content-type", "text/plain", "-content-encoding", "utf-8", "-correlation-id", "c", "-reply-to", "r",
			"-message-id", "m", "-type", "t", "-app-id", "shop"), queue))
		d := getOne(t, ch, queue)
		parent, _ := d.Headers["traceparent"].(string)
		if !strings.HasPrefix(parent, "00-"+traceA+"-") || strings.Contains(parent, spanA) || d.Headers["tracestate"] != "vendor=1" ||
			d.Headers["baggage"] != "tenant.id=t1" || d.Headers["tenant"] != "a=b" {
			t.Errorf("headers %v", d.Headers)
		}
		d.Acknowledger, d.Headers, d.DeliveryTag, d.Timestamp = nil, nil, 0, time.Time{}
		want := amqp.Delivery{
			RoutingKey: queue, DeliveryMode: amqp.Persistent, Expiration: "60000", Priority: 3, ContentType: "text/plain", ContentEncoding: "utf-8",
			CorrelationId: "c", ReplyTo: "r", MessageId: "m", Type: "t", AppId: "shop", Body: []byte{},
		}
		if len(d.Body) > 0 || d.RoutingKey != want.RoutingKey || d.DeliveryMode != want.DeliveryMode || d.Expiration != want.Expiration ||
			d.Priority != want.Priority || d.ContentType != want.ContentType || d.ContentEncoding != want.ContentEncoding ||
			d.CorrelationId != want.CorrelationId || d.ReplyTo != want.ReplyTo || d.MessageId != want.MessageId || d.Type != want.Type || d.AppId != want.AppId {
			t.Errorf("got  %+v\nwant %+v", d, want)
		}

		fails(t, exitFailed, "no queue took the message", "send", "amqp", "-amqp", url, "-key", queue+"-none")
		ok(t, "send", "amqp", "-amqp", url, "-key", queue+"-none", "-mandatory=false")
		ok(t, "send", "amqp", "-amqp", url, "-key", queue, "-confirm=false")
		fails(t, exitFailed, "no exchange '"+queue+"'", "send", "amqp", "-amqp", url, "-exchange", queue)
		fails(t, exitFailed, "no exchange '"+queue+"'", "send", "amqp", "-amqp", url, "-exchange", queue, "-confirm=false")
	})
}

// A body is sent unchanged, wherever it comes from.
func TestSendBody(t *testing.T) {
	clearTelemetry(t)
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		const text = "\x00\xff{}\n\n"
		file := filepath.Join(t.TempDir(), "body")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"send", "amqp", "-amqp", url, "-key", queue, "-file"}
		ok(t, append(args, file)...)
		cmd := process(t, append(args, "-")...)
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, source := range []string{"file", "standard input"} {
			if d := getOne(t, ch, queue); string(d.Body) != text {
				t.Errorf("from the %s: %q", source, d.Body)
			}
		}
		fails(t, exitFailed, "no such file", append(args, file+"-none")...)
		fails(t, exitUsage, "cannot be used together", append(args, file, "-body", "x")...)
	})
}

func TestSendAsynq(t *testing.T) {
	clearTelemetry(t)
	onRedis(t, func(t *testing.T, addr, queue string) {
		send := func(args ...string) []string {
			return append([]string{"send", "asynq", "-redis", addr, "-queue", queue, "email:welcome"}, args...)
		}
		golden(t, "send-asynq", sendNames(ok(t, send("-body", "{}", "-process-in", "1h")...), queue))
		t.Setenv("TRACEPARENT", parentA)
		golden(t, "send-asynq.json", sendNames(ok(t, send("-o", "json", "-task-id", "welcome-1", "-max-retry", "3", "-timeout", "1m", "-H", "a=b")...), queue))
		inspector := asynq.NewInspector(redisAt(t, addr))
		defer inspector.Close()
		info, err := inspector.GetTaskInfo(queue, "welcome-1")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(info.Headers["traceparent"], "00-"+traceA+"-") || info.Headers["a"] != "b" || info.MaxRetry != 3 || info.Timeout != time.Minute {
			t.Errorf("task %+v", info)
		}
		fails(t, exitFailed, "not enqueued: task ID conflicts", send("-task-id", "welcome-1")...)
		ok(t, send("-unique", "1h", "-body", "once")...)
		fails(t, exitFailed, "not enqueued: task already exists", send("-unique", "1h", "-body", "once")...)
		fails(t, exitUsage, "is negative", send("-timeout", "-1s")...)
	})
}

// The span goes to the endpoint that the environment names; an error in the environment is
// a warning, and the message is sent.
func TestSendTelemetry(t *testing.T) {
	clearTelemetry(t)
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		store := traceview.NewStore(traceview.Limits{})
		view, err := traceview.Listen("127.0.0.1:0", store)
		if err != nil {
			t.Fatal(err)
		}
		defer view.Close()
		t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", view.URL())
		t.Setenv("TRACEPARENT", parentA)
		ok(t, "send", "amqp", "-amqp", url, "-key", queue)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		sent := spans.Trace{}
		if !store.Wait(ctx, traceID(t, traceA), func(tr spans.Trace) bool { sent = tr; return len(tr.Spans) == 1 }) ||
			sent.Spans[0].Service != "mqtrace" || sent.Spans[0].ParentID.String() != spanA {
			t.Errorf("trace %+v", sent)
		}
		for variable, want := range map[string]struct{ value, warning string }{
			"TRACEPARENT":                 {"00-nonsense", "TRACEPARENT is not used: "},
			"OTEL_EXPORTER_OTLP_ENDPOINT": {"http://user:geheim@127.0.0.1:1", "the span was not sent: "},
		} {
			before := os.Getenv(variable)
			t.Setenv(variable, want.value)
			r := tool(t, "send", "amqp", "-amqp", url, "-key", queue)
			if r.code != 0 || !strings.Contains(r.stderr, want.warning) || strings.Contains(r.stderr, "geheim") {
				t.Errorf("%s=%s: exit code %d, %s", variable, want.value, r.code, r.stderr)
			}
			t.Setenv(variable, before)
		}
	})
}

func TestSendUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"-key or -exchange is required": {"amqp"},
		`unexpected argument "x"`:       {"amqp", "-key", "k", "x"},
		"is not of the form NAME=VALUE": {"amqp", "-key", "k", "-H", "x"},
		"set TRACEPARENT in the":        {"amqp", "-key", "k", "-H", "traceparent=x"},
		"longer than 255":               {"amqp", "-key", strings.Repeat("k", 256)},
		"-1s is negative":               {"amqp", "-key", "k", "-expiration", "-1s"},
		"must be greater than 0":        {"asynq", "t", "-wait", "0s"},
		"must contain {trace_id}":       {"asynq", "t", "-trace-url", "http://x"},
		"expected one argument":         {"asynq"},
		"-amqp is not a valid amqp":     {"amqp", "-key", "k", "-amqp", "amqp://u:geh%zzeim@h"},
		"-redis is neither host:port":   {"asynq", "t", "-redis", "redis://u:geh%zzeim@h"},
	} {
		r := tool(t, append([]string{"send"}, args...)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, "zzeim") {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
	}
}
