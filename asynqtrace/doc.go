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
// A [Client] embeds the *asynq.Client. Each call starts a PRODUCER span "enqueue
// emails" and puts its context, W3C traceparent, tracestate and baggage with the
// usual propagators, into the headers of a copy of the task. Neither the task nor
// its options are changed. A context that the task had is linked and replaced.
//
// One task is left alone by the context that it is enqueued with: [WithoutTracing] makes no
// span, [WithoutPropagation] puts nothing into the task. [AskForNewTrace] asks its worker to
// start a new trace.
//
// # Where an *asynq.Client is wanted
//
// A [Client] is not an *asynq.Client, which is a struct that nothing can stand in for. Code
// of your own does better with an interface, which both implement:
//
//	type enqueuer interface {
//		EnqueueContext(ctx context.Context, task *asynq.Task, opts ...asynq.Option) (*asynq.TaskInfo, error)
//	}
//
// Give code of others the client within, client.Client, and tasks that carry their context by
// [Inject]. There is no span of the enqueue then, but the trace goes on. Tasks
// that such code makes by itself carry nothing: their attempts are traces of their own, and
// mqtrace.messages.without_context counts them. If it takes a function instead, the method
// value client.EnqueueContext fits.
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
// Beware of the former: a span that is opened when the program starts and left in the
// base context adopts every task, and all of them end up in one endless trace. It is
// reported once to OpenTelemetry's error handler. A span that has ended is linked and not
// the parent.
//
// Every failed attempt is an error by default. [WithErrorOnlyWhenExhausted] keeps that
// word for tasks that asynq gave up. A middleware cannot see Config.IsFailure: an
// attempt that this lets pass has the outcome retry, and the next one the same
// asynq.task.retry_count.
//
// An attempt that goes through a middleware twice, on a mux within a mux, has one span and
// is counted once. A wrapper that calls the middleware again after a failure makes a span
// for each try; messaging.client.consumed.messages counts one delivery, and
// mqtrace.messages.settled each try, since nobody knows before the next whether there is one.
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
// The middleware and the config of a server take the same options. A [Worker] has them once:
//
//	worker := asynqtrace.NewWorker(asynqtrace.WithQueueTime(), asynqtrace.WithRedis(redis))
//	srv := asynq.NewServer(redis, worker.Config(asynq.Config{…}))
//	mux.Use(worker.Middleware())
//
// For what enqueues in other ways there is [Inject], and [SpanContextFromTaskInfo] leads
// from a task that asynq's Inspector shows to its trace.
//
// # Metrics
//
// Beside the metrics of the conventions, messaging.client.sent.messages,
// messaging.client.operation.duration, messaging.client.consumed.messages and
// messaging.process.duration, there are mqtrace.messages.without_context,
// mqtrace.queue_time with [WithQueueTime], and mqtrace.messages.settled, which counts
// attempts by asynq.task.outcome: retries and exhausted tasks show there without traces.
// Those of sending and processing have asynq.task.type, and those of processing
// asynq.task.outcome. The first 64 types of task are told apart, the others are _OTHER.
//
// [ObserveQueues] measures how many tasks asynq's queues have, by state, and for how long the
// oldest has been pending.
//
// # Tasks delayed by hours
//
// A task's trace goes on whenever the task is processed, a day later too. That does not
// go well with tail sampling: a Collector decides about a trace some seconds after its
// first span, keeps or drops what it has, and forgets the trace. The span of a task that
// comes hours later is decided on by itself, or is the lone rest of a trace that was
// dropped. So have such tasks start a trace of their own, which a link joins to the first:
//
//	asynqtrace.Middleware(asynqtrace.WithRelation(asynqtrace.ContinueWithin(10 * time.Minute)))
//
// The age of a task is known by the header mqtrace-sent-at; asynq keeps no such time. Clients,
// schedulers and group aggregators write it into tasks that are enqueued with asynq.ProcessIn
// or asynq.ProcessAt, and with [WithQueueTime] into all, so that a task that has waited in a
// long queue counts as old too. When such a task is due is mqtrace.due_time on the span of its
// enqueue, by which a task that only waits for its time is told from one that is stuck.
//
// Whoever enqueues a task may also know best that it is no part of the request:
//
//	info, err := client.EnqueueContext(asynqtrace.AskForNewTrace(ctx), task)
//	mux.Use(asynqtrace.Middleware(asynqtrace.WithRelation(asynqtrace.ContinueUnlessAsked)))
//
// The header for it is mqtrace-new-trace with the value 1, which programs in other languages
// can write as well.
//
// # Upgrade workers first
//
// Headers came with asynq 0.26. A worker with asynq 0.25 or older processes tasks of a
// newer client without a trace, and writes those that it retries back without headers:
// their trace is lost for later attempts on newer workers too. Nothing else of the task
// is. Upgrade workers before clients and schedulers.
//
// # A private field
//
// asynq 0.26 has no way to add headers to a task that keeps the task's options. So this
// package copies the task and sets the private field headers of the copy, at an offset
// that it finds by reflection and whose type it checks. If a later release of asynq has
// no such field, the package reports that once to OpenTelemetry's error handler. Tasks are
// then enqueued as they are, without trace context, and everything else goes on: spans of
// enqueues and attempts are recorded, the latter in traces of their own.
//
// # redisotel
//
// Do not instrument the connection that asynq uses with redisotel: a server that has
// nothing to do sends some seven commands a second, each of which becomes a trace of its
// own. asynq makes its own connection from a RedisConnOpt, and that is not instrumented.
// Where the two share a redis.UniversalClient, filter asynq's keys (true leaves the
// command out):
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
// Baggage travels in the task's headers, and asynq keeps those in Redis for as long
// as it keeps the task: archived ones for 90 days, where Asynqmon and all who may read
// that Redis see them. Put nothing into baggage that must not be stored there, or let
// pass only what is needed with [WithBaggageKeys]. Payloads and results are never
// recorded; the texts of handlers' errors are, as the status of a span.
//
// # Errors
//
// Errors of asynq and of handlers come back as they are. On a span they are the status
// description, with error.type the Go type of what asynq has wrapped, or "panic". A task
// that is refused as a duplicate or for its identifier is no error, and neither is
// asynq.RevokeTask. Malformed headers never fail a task.
//
// Spans and metrics follow version 1.43 of OpenTelemetry's [semantic conventions], with
// messaging.system asynq. All attributes, metrics and headers are listed in [docs/attributes.md].
//
// [semantic conventions]: https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
// [docs/attributes.md]: https://github.com/mqtrace/mqtrace/blob/main/docs/attributes.md
package asynqtrace
