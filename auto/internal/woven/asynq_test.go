//go:build woven

package woven

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// serve runs a server until the test ends.
func (s *scene) serve(h asynq.Handler, cfg asynq.Config) *asynq.Server {
	s.Helper()
	cfg.Queues = map[string]int{s.queue: 1}
	cfg.LogLevel = asynq.FatalLevel
	cfg.TaskCheckInterval = 10 * time.Millisecond
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: s.redis}, cfg)
	s.ok(server.Start(h))
	s.Cleanup(server.Shutdown)
	return server
}

func (s *scene) client() *asynq.Client {
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: s.redis})
	s.Cleanup(func() {
		_ = client.Close()
		inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: s.redis})
		_ = inspector.DeleteQueue(s.queue, true)
		_ = inspector.Close()
	})
	return client
}

func (s *scene) enqueue(client interface {
	Enqueue(task *asynq.Task, opts ...asynq.Option) (*asynq.TaskInfo, error)
}, name string, opts ...asynq.Option) {
	s.Helper()
	_, err := client.Enqueue(asynq.NewTask(name, nil), append(opts, asynq.Queue(s.queue))...)
	s.ok(err)
}

func TestTasks(t *testing.T) {
	s := play(t)
	client := s.client()
	mux := asynq.NewServeMux()
	mux.HandleFunc("first", func(context.Context, *asynq.Task) error {
		s.enqueue(client, "second")
		return nil
	})
	mux.HandleFunc("second", func(context.Context, *asynq.Task) error { return errors.Join(asynq.SkipRetry, s.reply()) })
	s.serve(mux, asynq.Config{})
	ctx, span := otel.Tracer("test").Start(context.Background(), "caller")
	_, err := client.EnqueueContext(ctx, asynq.NewTask("first", nil), asynq.Queue(s.queue))
	s.ok(err)
	span.End()
	s.want(`
		caller
		  enqueue Q
		    process Q
		      enqueue Q
		        process Q *errors.joinError ERROR
		          publish amq.default
	`)
}

// A task that is run again manually stays in its trace.
func TestInspector(t *testing.T) {
	s := play(t)
	client := s.client()
	s.enqueue(client, "later", asynq.ProcessIn(time.Hour), asynq.TaskID("1"))
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: s.redis})
	defer inspector.Close()
	s.ok(inspector.RunTask(s.queue, "1"))
	s.serve(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil }), asynq.Config{})
	s.want(`
		enqueue Q 1
		  process Q 1
	`)
}

type periodic struct{ queue string }

func (p periodic) GetConfigs() ([]*asynq.PeriodicTaskConfig, error) {
	return []*asynq.PeriodicTaskConfig{{
		Cronspec: "@every 1s", Task: asynq.NewTask("tick", nil), Opts: []asynq.Option{asynq.Queue(p.queue), asynq.Unique(time.Hour)},
	}}, nil
}

func TestSchedulers(t *testing.T) {
	redis := func(s *scene) asynq.RedisConnOpt { return asynq.RedisClientOpt{Addr: s.redis} }
	tests := map[string]func(s *scene) (stop func()){
		"Scheduler": func(s *scene) func() {
			scheduler := asynq.NewScheduler(redis(s), &asynq.SchedulerOpts{LogLevel: asynq.FatalLevel})
			_, err := scheduler.Register("@every 1s", asynq.NewTask("tick", nil), asynq.Queue(s.queue), asynq.Unique(time.Hour))
			s.ok(err)
			s.ok(scheduler.Start())
			return scheduler.Shutdown
		},
		"by hand": func(s *scene) func() {
			scheduler := asynq.NewScheduler(redis(s), asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{LogLevel: asynq.FatalLevel}))
			_, err := scheduler.Register("@every 1s", asynq.NewTask("tick", nil), asynq.Queue(s.queue), asynq.Unique(time.Hour))
			s.ok(err)
			s.ok(scheduler.Start())
			return scheduler.Shutdown
		},
		"PeriodicTaskManager": func(s *scene) func() {
			manager, err := asynq.NewPeriodicTaskManager(asynq.PeriodicTaskManagerOpts{
				RedisConnOpt: redis(s), PeriodicTaskConfigProvider: periodic{s.queue}, SyncInterval: time.Hour,
				SchedulerOpts: &asynq.SchedulerOpts{LogLevel: asynq.FatalLevel},
			})
			s.ok(err)
			s.ok(manager.Start())
			return manager.Shutdown
		},
	}
	for name, start := range tests {
		t.Run(name, func(t *testing.T) {
			s := play(t)
			_ = s.client()
			ran := make(chan bool, 10)
			s.serve(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { ran <- true; return nil }), asynq.Config{})
			stop := start(s)
			<-ran
			stop()
			s.want(`
		enqueue Q
		  process Q
			`)
		})
	}
}

// It is the last test: from then on, the program has the tasks itself.
func TestTasksByHand(t *testing.T) {
	tests := map[string]func(s *scene, h asynq.HandlerFunc){
		"on the mux": func(s *scene, h asynq.HandlerFunc) {
			mux := asynq.NewServeMux()
			mux.Use(asynqtrace.Middleware())
			mux.Handle("task", h)
			s.serve(mux, asynqtrace.Config(asynq.Config{}))
		},
		"around the handler": func(s *scene, h asynq.HandlerFunc) {
			s.serve(asynqtrace.NewWorker().Middleware()(h), asynq.Config{})
		},
		"within the handler": func(s *scene, h asynq.HandlerFunc) {
			s.serve(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
				return asynqtrace.Middleware()(h).ProcessTask(ctx, t)
			}), asynq.Config{})
		},
	}
	for name, serve := range tests {
		t.Run(name, func(t *testing.T) {
			s := play(t)
			serve(s, func(context.Context, *asynq.Task) error { return nil })
			s.enqueue(asynqtrace.NewClient(s.client()), "task")
			s.want(`
		enqueue Q
		  process Q
			`)
		})
	}
}
