package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/hibiken/asynq"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
)

// onRedis enqueues tasks one after the other, with ten workers at work.
func onRedis(addr string, tp *sdktrace.TracerProvider) (runner, func(), error) {
	server, err := asynqredis.Parse(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("peers: -redis or MQTRACE_REDIS_ADDR is %w", err)
	}
	name := fmt.Sprintf("mqtrace-peers-%d-%t", os.Getpid(), tp == nil)
	client := asynq.NewClient(server)
	enqueue := client.EnqueueContext
	mux := asynq.NewServeMux()
	config := asynq.Config{
		Concurrency: 10, Queues: map[string]int{name: 1}, LogLevel: asynq.FatalLevel, TaskCheckInterval: 5 * time.Millisecond,
	}
	if tp != nil {
		opts := []asynqtrace.Option{asynqtrace.WithTracerProvider(tp), asynqtrace.WithPropagators(propagator)}
		enqueue = asynqtrace.NewClient(client, opts...).EnqueueContext
		mux.Use(asynqtrace.Middleware(opts...))
		config = asynqtrace.Config(config, opts...)
	}
	took := make(chan time.Duration, fast)
	mux.HandleFunc("order", func(_ context.Context, t *asynq.Task) error {
		took <- time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(t.Payload()))))
		return nil
	})
	worker := asynq.NewServer(server, config)
	if err := worker.Start(mux); err != nil {
		return nil, nil, err
	}
	end := func() {
		worker.Shutdown()
		_ = client.Close()
		if err := asynqredis.DeleteQueue(context.Background(), server, name); err != nil {
			fmt.Fprintln(os.Stderr, "peers:", err)
		}
	}
	send := func(ctx context.Context, sentAt time.Time) error {
		payload := make([]byte, 512)
		binary.BigEndian.PutUint64(payload, uint64(sentAt.UnixNano()))
		_, err := enqueue(ctx, asynq.NewTask("order", payload, asynq.Queue(name)))
		return err
	}
	return func(ctx context.Context) (round, error) { return redisRound(ctx, send, took) }, end, nil
}

func redisRound(ctx context.Context, send func(context.Context, time.Time) error, took chan time.Duration) (round, error) {
	began := time.Now()
	for range fast {
		if err := send(ctx, time.Now()); err != nil {
			return round{}, err
		}
	}
	if err := arrivals(took); err != nil {
		return round{}, err
	}
	r := round{perSecond: fast / time.Since(began).Seconds()}
	var err error
	r.latencies, err = paced(func(sentAt time.Time) error { return send(ctx, sentAt) }, took)
	return r, err
}
