// Package asynqtrace makes asynq a transparent part of an OpenTelemetry trace, for
// programs that use [github.com/hibiken/asynq].
//
// # Enqueue
//
// Wrap the client once and enqueue as before:
//
//	client := asynqtrace.NewClient(asynq.NewClient(redis))
//	info, err := client.EnqueueContext(ctx, task, asynq.Queue("emails"))
//
// A [Client] embeds the *asynq.Client. Each call starts a PRODUCER span "enqueue emails"
// and puts its context, W3C traceparent, tracestate and baggage with the usual propagators,
// into the headers of a copy of the task. Neither the task nor its options are changed. A
// context that the task already had is linked and replaced.
//
// The context of an enqueue can exempt its task: [WithoutTracing] starts no span,
// [WithoutPropagation] writes nothing to the headers. [AskForNewTrace] asks the worker to
// start a new trace.
//
// # Where an *asynq.Client is wanted
//
// A [Client] is not an *asynq.Client, which is a struct and cannot be substituted. In your own
// code, use an interface, which both implement:
//
//	type enqueuer interface {
//		EnqueueContext(ctx context.Context, task *asynq.Task, opts ...asynq.Option) (*asynq.TaskInfo, error)
//	}
//
// Pass other people's code the embedded client, client.Client, and tasks that carry their
// context by [Inject]. The enqueue has no span then, but the trace continues. Tasks that
// such code creates carry no context: their attempts start new traces and are counted by
// mqtrace.messages.without_context. If the code takes a function instead, pass the method
// value client.EnqueueContext.
//
// # Process
//
// Use the [Middleware], first in the chain:
//
//	mux := asynq.NewServeMux()
//	mux.Use(asynqtrace.Middleware())
//
// Each attempt gets a CONSUMER span "process emails" with asynq.task.retry_count,
// asynq.task.max_retry and asynq.task.outcome: done, retry, exhausted, skipped,
// revoked, cancelled or deadline. The context that the task was enqueued with is
// always linked. The parent is the span in asynq's base context, if there is one,
// else the context of the task.
//
// A span that is started with the program and left in the base context becomes the parent of
// every task, and all of them end up in one endless trace.
// If tasks of different traces have one parent, this is reported once to OpenTelemetry's
// error handler. A span that has ended is linked and does not become the parent.
//
// Every failed attempt is an error by default. With [WithErrorOnlyWhenExhausted], only an
// attempt after which asynq gives the task up is an error. A middleware cannot see
// Config.IsFailure: an attempt that it does not count as a failure has the outcome retry,
// and the next one the same asynq.task.retry_count.
//
// An attempt that passes a middleware twice, as with nested muxes, has one span and is
// counted once. If a wrapper calls the middleware again after a failure, each try has a
// span; messaging.client.consumed.messages counts one delivery, and
// mqtrace.messages.settled each try, since a try cannot know whether another follows.
//
// # Error handler, groups, schedulers
//
// [Config] gives asynq's ErrorHandler a context in which the attempt's span is current,
// sees tasks that expire before their handler is called, and links the task that a
// GroupAggregator makes to the tasks of the group. [SchedulerOpts] gives each tick of a
// Scheduler or PeriodicTaskManager a trace of its own:
//
//	srv := asynq.NewServer(redis, asynqtrace.Config(asynq.Config{…}))
//	sch := asynq.NewScheduler(redis, asynqtrace.SchedulerOpts(&asynq.SchedulerOpts{…}))
//
// The middleware and the config of a server take the same options. With a [Worker] you pass
// them once:
//
//	worker := asynqtrace.NewWorker(asynqtrace.WithQueueTime(), asynqtrace.WithRedis(redis))
//	srv := asynq.NewServer(redis, worker.Config(asynq.Config{…}))
//	mux.Use(worker.Middleware())
//
// [Inject] is for code that enqueues in other ways, and [SpanContextFromTaskInfo] finds the
// trace of a task that asynq's Inspector returns.
//
// # Metrics
//
// Beside the metrics of the conventions, messaging.client.sent.messages,
// messaging.client.operation.duration, messaging.client.consumed.messages and
// messaging.process.duration, there are mqtrace.messages.without_context,
// mqtrace.queue_time with [WithQueueTime], and mqtrace.messages.settled, which counts
// attempts by asynq.task.outcome and so shows retries and exhausted tasks without traces.
// Metrics of sending and processing have asynq.task.type, metrics of processing also
// asynq.task.outcome. The first 64 task types are distinguished; the others are _OTHER.
//
// [ObserveQueues] measures the number of tasks in asynq's queues by state, and how long the
// oldest has been pending.
//
// # Tasks delayed by hours
//
// A task continues its trace whenever it is processed, even a day later. That does not suit
// tail sampling: a Collector decides about a trace some seconds after its first span, keeps
// or drops the spans it has, and forgets the trace. A span that arrives hours later is
// judged on its own, or is all that remains of a trace that was dropped. Start a new trace
// for such tasks, linked to the first:
//
//	asynqtrace.Middleware(asynqtrace.WithRelation(asynqtrace.ContinueWithin(10 * time.Minute)))
//
// The age of a task is known from the header mqtrace-sent-at; asynq keeps no such time.
// Clients, schedulers and group aggregators write it into tasks that are enqueued with
// asynq.ProcessIn or asynq.ProcessAt, and with [WithQueueTime] into all, so that a task
// that has waited in a long queue counts as old too. The enqueue span of a delayed task has
// its due time as mqtrace.due_time, which distinguishes a task that is not due yet from one
// that is stuck.
//
// The code that enqueues a task can also say that it is not part of the request:
//
//	info, err := client.EnqueueContext(asynqtrace.AskForNewTrace(ctx), task)
//	mux.Use(asynqtrace.Middleware(asynqtrace.WithRelation(asynqtrace.ContinueUnlessAsked)))
//
// It sets the header mqtrace-new-trace to 1, as programs in other languages can.
//
// # Upgrade workers first
//
// Headers came with asynq 0.26. A worker with asynq 0.25 or older processes tasks of a
// newer client without a trace, and drops the headers of those that it retries: their trace
// is lost for later attempts on newer workers too, but nothing else. Upgrade workers before
// clients and schedulers.
//
// # A private field
//
// asynq 0.26 has no way to add headers to a task without losing the task's options. So this
// package copies the task and sets the private field headers of the copy, at an offset that
// it finds by reflection after checking the field's type. If a later release of asynq has
// no such field, the package reports that once to OpenTelemetry's error handler. Tasks are
// then enqueued as they are, without trace context, and everything else keeps working:
// spans of enqueues and attempts are recorded, the latter in traces of their own.
//
// # redisotel
//
// Do not instrument the connection that asynq uses with redisotel: an idle server sends
// about seven commands a second, and each becomes a trace of its own. The connection that
// asynq makes from a RedisConnOpt is not instrumented. If you share a redis.UniversalClient
// with asynq, filter asynq's keys (true excludes the command):
//
//	redisotel.InstrumentTracing(client, redisotel.WithCommandFilter(func(cmd redis.Cmder) bool {
//		for _, arg := range cmd.Args() {
//			if key, ok := arg.(string); ok && strings.HasPrefix(key, "asynq:") {
//				return true
//			}
//		}
//		return redisotel.DefaultCommandFilter(cmd)
//	}))
//
// # Privacy
//
// Baggage travels in the task's headers, and asynq keeps those in Redis for as long as it
// keeps the task: archived ones for 90 days, where Asynqmon and anyone with access to that
// Redis can see it. Put nothing into baggage that must not be stored there, or restrict
// baggage with [WithBaggageKeys]. Payloads and results are never recorded; the texts of
// handlers' errors are, as a span's status.
//
// # Errors
//
// Errors of asynq and of handlers are returned unchanged. On a span they are the status
// description, with error.type the Go type of the error that asynq wrapped, or "panic". A
// task refused as a duplicate or for its identifier is not an error, and neither is
// asynq.RevokeTask. Malformed headers never fail a task.
//
// Spans and metrics follow version 1.43 of OpenTelemetry's [semantic conventions], with
// messaging.system asynq. All attributes, metrics and headers are listed in [docs/attributes.md].
//
// [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
// [docs/attributes.md]: https://github.com/mqtrace/mqtrace/blob/main/docs/attributes.md
package asynqtrace
