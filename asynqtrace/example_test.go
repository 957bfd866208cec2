package asynqtrace_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

func ExampleNewClient() {
	client := asynqtrace.NewClient(asynq.NewClient(asynq.RedisClientOpt{Addr: "localhost:6379"}))
	defer func() { _ = client.Close() }()

	ctx := context.Background() // in a server, that of the request
	info, err := client.EnqueueContext(ctx, asynq.NewTask("email:welcome", []byte(`{"user":7}`)), asynq.Queue("emails"))
	if err != nil {
		log.Print(err)
		return
	}
	log.Print("enqueued ", info.ID)
}

// enqueuer is an interface that a program may accept in place of an *asynq.Client.
type enqueuer interface {
	EnqueueContext(ctx context.Context, task *asynq.Task, opts ...asynq.Option) (*asynq.TaskInfo, error)
}

var (
	_ enqueuer = (*asynq.Client)(nil)
	_ enqueuer = (*asynqtrace.Client)(nil)
)

// signUp works with both clients.
func signUp(ctx context.Context, client enqueuer) error {
	_, err := client.EnqueueContext(ctx, asynq.NewTask("email:welcome", nil))
	return err
}

func ExampleClient_interface() {
	client := asynqtrace.NewClient(asynq.NewClient(asynq.RedisClientOpt{Addr: "localhost:6379"}))
	defer func() { _ = client.Close() }()
	if err := signUp(context.Background(), client); err != nil {
		log.Print(err)
	}
}

func ExampleAskForNewTrace() {
	client := asynqtrace.NewClient(asynq.NewClient(asynq.RedisClientOpt{Addr: "localhost:6379"}))
	defer func() { _ = client.Close() }()
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(asynqtrace.WithRelation(asynqtrace.ContinueUnlessAsked)))

	// The report takes an hour and is not part of the request.
	ctx := asynqtrace.AskForNewTrace(context.Background())
	if _, err := client.EnqueueContext(ctx, asynq.NewTask("report:build", nil)); err != nil {
		log.Print(err)
	}
}

func ExampleMiddleware() {
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware())
	mux.HandleFunc("email:welcome", func(_ context.Context, task *asynq.Task) error {
		fmt.Printf("sending %s\n", task.Payload())
		return nil
	})

	// asynq.NewServer(redis, asynq.Config{…}).Run(mux) does this for each task:
	if err := mux.ProcessTask(context.Background(), asynq.NewTask("email:welcome", []byte("a welcome"))); err != nil {
		log.Print(err)
	}
	// Output: sending a welcome
}

func ExampleConfig() {
	redis := asynq.RedisClientOpt{Addr: "localhost:6379"}
	srv := asynq.NewServer(redis, asynqtrace.Config(asynq.Config{
		ErrorHandler: asynq.ErrorHandlerFunc(func(ctx context.Context, task *asynq.Task, err error) {
			sc := trace.SpanContextFromContext(ctx) // of the attempt that failed
			slog.ErrorContext(ctx, "task failed", "type", task.Type(), "err", err, "trace_id", sc.TraceID())
		}),
	}))
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware())
	if err := srv.Run(mux); err != nil {
		log.Print(err)
	}
}

func ExampleNewWorker() {
	redis := asynq.RedisClientOpt{Addr: "localhost:6379"}
	worker := asynqtrace.NewWorker(asynqtrace.WithRedis(redis), asynqtrace.WithQueueTime())
	mux := asynq.NewServeMux()
	mux.Use(worker.Middleware())
	if err := asynq.NewServer(redis, worker.Config(asynq.Config{})).Run(mux); err != nil {
		log.Print(err)
	}
}

func ExampleObserveQueues() {
	redis := asynq.RedisClientOpt{Addr: "localhost:6379"}
	inspector := asynq.NewInspector(redis)
	defer func() { _ = inspector.Close() }()

	registration, err := asynqtrace.ObserveQueues(inspector, asynqtrace.WithRedis(redis))
	if err != nil {
		log.Print(err)
		return
	}
	defer func() { _ = registration.Unregister() }()
	select {} // in a program, until it ends
}

func ExampleClient_BatchEnqueueContext() {
	client := asynqtrace.NewClient(asynq.NewClient(asynq.RedisClientOpt{Addr: "localhost:6379"}))
	defer func() { _ = client.Close() }()

	tasks := []*asynq.Task{asynq.NewTask("email:welcome", []byte(`{"user":7}`)), asynq.NewTask("email:welcome", []byte(`{"user":8}`))}
	for _, result := range client.BatchEnqueueContext(context.Background(), tasks, asynq.Queue("emails")) {
		if result.Err != nil {
			log.Print(result.Err)
		}
	}
}

func ExampleSchedulerOpts() {
	sch := asynq.NewScheduler(asynq.RedisClientOpt{Addr: "localhost:6379"},
		asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{Location: time.UTC}))
	if _, err := sch.Register("0 6 * * *", asynq.NewTask("email:digest", nil)); err != nil {
		log.Print(err)
		return
	}
	if err := sch.Run(); err != nil {
		log.Print(err)
	}
}

func ExampleInject() {
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	}))
	task := asynqtrace.Inject(ctx, asynq.NewTask("email:welcome", nil, asynq.Queue("emails")),
		asynqtrace.WithPropagators(propagation.TraceContext{}))
	fmt.Println(task.Headers()["traceparent"])
	// Output: 00-01000000000000000000000000000000-0200000000000000-01
}

func ExampleSpanContextFromTaskInfo() {
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: "localhost:6379"})
	defer func() { _ = inspector.Close() }()

	tasks, err := inspector.ListArchivedTasks("emails")
	if err != nil {
		log.Print(err)
		return
	}
	for _, task := range tasks {
		fmt.Println(task.ID, asynqtrace.SpanContextFromTaskInfo(task).TraceID(), task.LastErr)
	}
}

func ExampleWithRelation() {
	// Tasks that wait for longer start a trace of their own, linked to the first one.
	mux := asynq.NewServeMux()
	mux.Use(asynqtrace.Middleware(asynqtrace.WithRelation(asynqtrace.ContinueWithin(10 * time.Minute))))
	mux.HandleFunc("email:welcome", func(context.Context, *asynq.Task) error { return nil })
}
