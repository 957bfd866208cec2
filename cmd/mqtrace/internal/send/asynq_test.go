package send_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/send"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
)

// evil is UTF-8, as asynq's strings have to be.
const evil = "\x1b[2J\u202e\x00"

func TestAsynq(t *testing.T) {
	onRedis(t, func(t *testing.T, client *redis.Client, queue string) {
		payload := []byte(strings.Repeat("\xff\x00", 1<<18))
		task := asynq.NewTaskWithHeaders(evil, payload, map[string]string{evil: evil}, asynq.Queue(queue), asynq.TaskID(evil))
		info, span, err := send.Asynq(within(t), client, sdktrace.NewTracerProvider(), task)
		ok(t, err)
		kept, err := asynq.NewInspectorFromRedisClient(client).GetTaskInfo(queue, evil)
		ok(t, err)
		c := tracecontext.ReadText(kept.Headers)
		if info.ID != evil || info.Queue != queue || kept.Type != evil || string(kept.Payload) != string(payload) || kept.Headers[evil] != evil ||
			kept.Headers["mqtrace-sent-at"] == "" || !c.Span.Equal(span.WithRemote(true)) || span.TraceID() != parent.TraceID() ||
			span.SpanID() == parent.SpanID() || len(c.Baggage) != 1 {
			t.Errorf("span %+v, task %.500v", span, kept.Headers)
		}
		_, span, err = send.Asynq(t.Context(), client, noop.NewTracerProvider(), asynq.NewTask("t", nil, asynq.Queue(queue)))
		if err != nil || span.IsValid() {
			t.Errorf("no trace: %+v, %v", span, err)
		}
	})
}

func TestAsynqErrors(t *testing.T) {
	onRedis(t, func(t *testing.T, client *redis.Client, queue string) {
		in, provider := asynq.Queue(queue), sdktrace.NewTracerProvider()
		unique := []asynq.Option{in, asynq.TaskID("1"), asynq.Unique(time.Hour)}
		_, _, err := send.Asynq(t.Context(), client, provider, asynq.NewTask("t", nil, unique...))
		ok(t, err)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		nobody := asynqredis.NewClient(asynq.RedisClientOpt{Addr: "127.0.0.1:1"})
		defer nobody.Close()
		for name, tt := range map[string]struct {
			ctx    context.Context
			client *redis.Client
			task   *asynq.Task
			want   error // nil for any
		}{
			"same id":      {t.Context(), client, asynq.NewTask("t", nil, in, asynq.TaskID("1")), asynq.ErrTaskIDConflict},
			"same task":    {t.Context(), client, asynq.NewTask("t", nil, in, asynq.Unique(time.Hour)), asynq.ErrDuplicateTask},
			"no type":      {t.Context(), client, asynq.NewTask(" ", nil, in), nil},
			"no UTF-8":     {t.Context(), client, asynq.NewTask("\xff", nil, in), nil},
			"bad header":   {t.Context(), client, asynq.NewTaskWithHeaders("t", nil, map[string]string{"h": "\xff"}, in), nil},
			"canceled":     {canceled, client, asynq.NewTask("t", nil, in), context.Canceled},
			"nobody there": {t.Context(), nobody, asynq.NewTask("t", nil, in), nil},
		} {
			info, span, err := send.Asynq(tt.ctx, tt.client, provider, tt.task)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || info != nil || span.IsValid() {
				t.Errorf("%s: %v, span %v, %v", name, info, span.IsValid(), err)
			}
		}
		if n := pending(t, client, queue); n != 1 {
			t.Errorf("%d tasks are there", n)
		}
	})
}
