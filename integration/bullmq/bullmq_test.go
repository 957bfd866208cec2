//go:build interop

package bullmq_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/carrier"
)

var propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})

// seen is what the Node program reports about a job.
type seen struct {
	TraceID  string `json:"traceId"`
	SpanID   string `json:"spanId"`
	ParentID string `json:"parentId"`
	Tenant   string `json:"tenant"`
	ID       string `json:"id"`
	Job      string `json:"job"`
	Data     struct {
		User int `json:"user"`
	} `json:"data"`
}

// newQueue returns the name of a queue that is removed when the test ends.
func newQueue(t *testing.T) (*redis.Client, string) {
	t.Helper()
	addr := os.Getenv("MQTRACE_REDIS_ADDR")
	if addr == "" {
		t.Fatal("MQTRACE_REDIS_ADDR names no Redis")
	}
	if !strings.Contains(addr, "://") {
		addr = "redis://" + addr
	}
	opt, err := redis.ParseURL(addr)
	if err != nil || opt.TLSConfig != nil {
		t.Fatal("MQTRACE_REDIS_ADDR is neither host:port nor a redis:// URL") // err may quote a password
	}
	client := redis.NewClient(opt)
	queue := fmt.Sprintf("mqtrace-bullmq-%d-%d", os.Getpid(), time.Now().UnixNano())
	t.Cleanup(func() {
		ctx := context.Background()
		keys := client.Scan(ctx, 0, "bull:"+queue+":*", 100).Iterator()
		for keys.Next(ctx) {
			client.Del(ctx, keys.Val())
		}
		if err := keys.Err(); err != nil {
			t.Error(err)
		}
		_ = client.Close()
	})
	return client, queue
}

func node(t *testing.T, client *redis.Client, mode, queue string) seen {
	t.Helper()
	redisOptions := client.Options()
	host, port, err := net.SplitHostPort(redisOptions.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "interop.js", mode, host, port, queue)
	cmd.Env = append(os.Environ(), "REDIS_USERNAME="+redisOptions.Username, "REDIS_PASSWORD="+redisOptions.Password, fmt.Sprint("REDIS_DB=", redisOptions.DB),
		"OTEL_SDK_DISABLED=false", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err, " (was npm install run? See make interop)")
	}
	var s seen
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return s
}

// BullMQ processes a job that Go adds to the queue, with its trace in the option tm, in
// that trace and with its baggage.
func TestFromGoToNode(t *testing.T) {
	client, queue := newQueue(t)
	sc := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 15: 2}, SpanID: trace.SpanID{3, 7: 4}, TraceFlags: trace.FlagsSampled,
	})
	member, _ := baggage.NewMember("tenant.id", "t1")
	bag, _ := baggage.New(member)
	text := carrier.InjectText(
		baggage.ContextWithBaggage(trace.ContextWithSpanContext(t.Context(), sc), bag), propagator)
	opts, err := json.Marshal(map[string]any{"attempts": 0, "tm": text})
	if err != nil {
		t.Fatal(err)
	}
	prefix := "bull:" + queue + ":"
	pipe := client.TxPipeline()
	pipe.HSet(t.Context(), prefix+"1", "name", "welcome", "data", `{"user":7}`, "opts", opts,
		"timestamp", time.Now().UnixMilli(), "delay", 0, "priority", 0)
	pipe.LPush(t.Context(), prefix+"wait", "1")
	pipe.ZAdd(t.Context(), prefix+"marker", redis.Z{Score: 0, Member: "0"})
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := node(t, client, "work", queue)
	if got.TraceID != sc.TraceID().String() || got.ParentID != sc.SpanID().String() || got.Tenant != "t1" ||
		got.Job != "welcome" || got.Data.User != 7 {
		t.Errorf("Node has %+v, want trace %s and parent %s", got, sc.TraceID(), sc.SpanID())
	}
}

// Go finds the trace that BullMQ keeps with a job.
func TestFromNodeToGo(t *testing.T) {
	client, queue := newQueue(t)
	added := node(t, client, "add", queue)
	raw, err := client.HGet(t.Context(), "bull:"+queue+":"+added.ID, "opts").Result()
	if err != nil {
		t.Fatal(err)
	}
	var opts struct {
		Telemetry string `json:"tm"`
	}
	if err := json.Unmarshal([]byte(raw), &opts); err != nil {
		t.Fatal(err)
	}
	ctx := carrier.ExtractText(t.Context(), propagator, opts.Telemetry)
	sc := trace.SpanContextFromContext(ctx)
	if sc.TraceID().String() != added.TraceID || !sc.SpanID().IsValid() || len(added.TraceID) != 32 {
		t.Errorf("Go has %v of %s, want trace %s", sc, raw, added.TraceID)
	}
	if got := baggage.FromContext(ctx).Member("tenant.id").Value(); got != "t1" {
		t.Errorf("baggage %q of %s", got, raw)
	}
}
