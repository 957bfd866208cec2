package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// stuckView is a view with a queue in which three messages wait, as the broker reports it.
func stuckView(t *testing.T) (url, management string) {
	t.Helper()
	kept := traceview.NewStore(traceview.Limits{})
	for n := range byte(3) {
		end := time.Now().Add(-time.Duration(n+1) * time.Minute)
		kept.Add(spans.Span{
			TraceID: trace.TraceID{1, n}, SpanID: trace.SpanID{1}, Name: "enqueue emails", Kind: trace.SpanKindProducer, Service: "shop",
			Start: end.Add(-time.Millisecond), End: end,
			Attributes: spans.Attributes{
				{Key: "messaging.system", Value: "asynq"}, {Key: "messaging.destination.name", Value: "emails"},
				{Key: "tenant.id", Value: []string{"acme", "globex"}[n%2]},
			},
		})
	}
	view, err := traceview.Listen("127.0.0.1:0", kept)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = view.Close(); http.DefaultClient.CloseIdleConnections() })
	broker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); r.URL.Path != "/api/queues" || user != "guest" || password != "geheim" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`[{"name":"emails","messages":3,"consumers":0},{"name":"other","messages":7,"consumers":1}]`))
	}))
	t.Cleanup(broker.Close)
	return view.URL(), strings.Replace(broker.URL, "http://", "http://guest:geheim@", 1)
}

// Which queue, since when, how many, which tenants: in the terminal alone.
func TestQueues(t *testing.T) {
	url, management := stuckView(t)
	got := ok(t, "queues", url, "-management", management)
	for _, want := range []string{
		"emails", "other", "3 messages not consumed, the first since ", "(3m00s)", "no consumer was seen", "tenants: acme, globex",
		"shop -> none seen",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	var list struct {
		Queues []struct {
			Name    string
			Waiting int
			Broker  *struct{ Depth, Consumers int }
		}
	}
	if err := json.Unmarshal([]byte(ok(t, "queues", "-view", url, "-management", management, "-o", "json")), &list); err != nil ||
		len(list.Queues) != 2 || list.Queues[0].Waiting != 3 || list.Queues[0].Broker.Depth != 3 || list.Queues[1].Broker.Depth != 7 {
		t.Errorf("%v: %+v", err, list)
	}
}

func TestQueuesErrors(t *testing.T) {
	url, management := stuckView(t)
	if r := tool(t, "queues", url, "-management", strings.Replace(management, "geheim", "falsch", 1)); r.code != exitFailed ||
		!strings.Contains(r.stderr, "401") || strings.Contains(r.stderr, "falsch") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	fails(t, exitFailed, "connection refused; use -view to name the mqtrace view", "queues", "-view", "http://127.0.0.1:1")
	fails(t, exitUsage, "expected at most one argument", "queues", "a", "b")
	if got := ok(t, "queues", writeFile(t, "{}")); !strings.Contains(got, "No queues yet") {
		t.Errorf("%s", got)
	}
}

// A server that answers something else is not a view without queues.
func TestQueuesOfAnotherServer(t *testing.T) {
	for _, answer := range []string{"{}", `{"data":null}`, `{"queues":null}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		fails(t, exitFailed, "has no list of queues: it is not an mqtrace view", "queues", server.URL)
		server.Close()
	}
	empty, err := traceview.Listen("127.0.0.1:0", traceview.NewStore(traceview.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close()
	if got := ok(t, "queues", empty.URL()); !strings.Contains(got, "No queues yet") {
		t.Error(got)
	}
}

// One damaged queue does not hide the others, and an error names what sets the address.
func TestQueuesOnRedis(t *testing.T) {
	onRedis(t, func(t *testing.T, addr, queue string) {
		ok(t, "send", "asynq", "-redis", addr, "-queue", queue, "email:welcome")
		ok(t, "send", "asynq", "-redis", addr, "-queue", queue+"-2", "email:welcome")
		client := redisAt(t, addr).MakeRedisClient().(redis.UniversalClient)
		defer client.Close()
		damaged := "asynq:{" + queue + "-2}:scheduled"
		if err := client.Set(t.Context(), damaged, "no set", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		defer deleteQueue(t, addr, queue+"-2")
		r := tool(t, "queues", "-redis", addr, writeFile(t, "{}"))
		if r.code != 0 || !strings.Contains(r.stdout, queue+" ") || !strings.Contains(r.stderr, "warning: the depth of queue \""+queue+"-2\" is unknown: ") {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
	fails(t, exitFailed, "connect to Redis at 127.0.0.1:1 (set by -redis): ", "queues", "-redis", "127.0.0.1:1", writeFile(t, "{}"))
	fails(t, exitFailed, "connect to Redis at 127.0.0.1:1 (set by -redis or MQTRACE_REDIS_ADDR): ", "peek", "asynq", "-redis", "127.0.0.1:1", "emails")
}
