package asynqtrace_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/asynqtrace"
)

// surface returns the names with which a user configures one of our packages: the exported
// functions that return an Option or a Relation, are a Relation, or return a context that
// turns off tracing for a message or passes a request to its consumer.
func surface(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !f.Name.IsExported() {
				continue
			}
			switch signature := types.ExprString(f.Type); {
			case strings.HasSuffix(signature, ") Option"), strings.HasSuffix(signature, ") Relation"),
				signature == "func(Message) bool", signature == "func(m Message) bool",
				signature == "func(ctx context.Context) context.Context":
				names = append(names, f.Name.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// What both packages offer has the same name in both, so that knowing one is enough. What
// only one can have is listed here.
func TestSharedOptionsHaveTheSameNames(t *testing.T) {
	own := []string{"WithErrorOnlyWhenExhausted", "WithRedis"}
	others := []string{"WithBodySize", "WithConnection", "WithEmptyReceives", "WithSettleSpans"}
	ours := slices.DeleteFunc(surface(t, "../asynqtrace"), func(n string) bool { return slices.Contains(own, n) })
	theirs := slices.DeleteFunc(surface(t, "../amqptrace"), func(n string) bool { return slices.Contains(others, n) })
	want := []string{
		"AskForNewTrace", "ContinueTrace", "ContinueUnlessAsked", "ContinueWithin", "NewTrace", "WithAttributes",
		"WithBaggageKeys", "WithExceptions", "WithFilter", "WithMessageAttributes", "WithMeterProvider", "WithPropagators", "WithQueueTime",
		"WithRelation", "WithServer", "WithTracerProvider", "WithoutPropagation", "WithoutTracing",
	}
	if !slices.Equal(ours, want) || !slices.Equal(theirs, want) {
		t.Errorf("shared options\nasynqtrace %v\namqptrace  %v\nwant       %v", ours, theirs, want)
	}
}

// handle processes a task without a server and returns what the handler got.
func (e *env) handle(t *testing.T, headers map[string]string, opts ...asynqtrace.Option) context.Context {
	t.Helper()
	var got context.Context
	handler := asynqtrace.Middleware(append(e.options(), opts...)...)(
		asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error { got = ctx; return nil })) //nolint:fatcontext // checked later
	if err := handler.ProcessTask(context.Background(), asynq.NewTaskWithHeaders("email:welcome", nil, headers)); err != nil {
		t.Fatal(err)
	}
	return got
}

const (
	creator     = "00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-1111111111111111-01"
	creatorSpan = "1111111111111111"
)

func TestRelation(t *testing.T) {
	e := newEnv(t, startRedis(t))
	long := map[string]string{"traceparent": creator, "baggage": "tenant.id=t1", "mqtrace-sent-at": "1000000"}
	for name, tt := range map[string]struct {
		relation asynqtrace.Relation
		sentAt   string
		root     bool
	}{
		"default":            {nil, "", false},
		"continue":           {asynqtrace.ContinueTrace, "1000000", false},
		"new":                {asynqtrace.NewTrace, "", true},
		"old":                {asynqtrace.ContinueWithin(time.Hour), "1000000", true},
		"young":              {asynqtrace.ContinueWithin(time.Hour), "99999999999999999", false}, // from a clock that is ahead
		"of unknown age":     {asynqtrace.ContinueWithin(time.Hour), "", false},
		"own, by type":       {func(m asynqtrace.Message) bool { return m.Type != "email:welcome" }, "", true},
		"own, by everything": {func(m asynqtrace.Message) bool { return m.Attempt == 1 && m.Headers["baggage"] != "" }, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			e.Reset()
			long["mqtrace-sent-at"] = tt.sentAt
			ctx := e.handle(t, long, asynqtrace.WithRelation(tt.relation))
			s := e.wait(t, "process", 1)[0]
			if root := !s.Parent().IsValid(); root != tt.root {
				t.Errorf("parent %v", s.Parent())
			}
			if l := s.Links(); len(l) != 1 || l[0].SpanContext.SpanID().String() != creatorSpan {
				t.Errorf("links %v", l)
			}
			if got := baggage.FromContext(ctx).Member("tenant.id").Value(); got != "t1" {
				t.Errorf("baggage %q", got)
			}
		})
	}
}

func TestBaggageKeys(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		ctx, _ := e.request(t)
		for want, keys := range map[string][]string{"tenant.id=t1": {"other", "tenant.id"}, "": {}} {
			client := asynqtrace.NewClient(asynq.NewClient(e.redis), append(e.options(), asynqtrace.WithBaggageKeys(keys...))...)
			info, err := client.EnqueueContext(ctx, asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue)))
			if err != nil || info.Headers["baggage"] != want {
				t.Errorf("keys %v: headers %v, %v", keys, info, err)
			}
			_ = client.Close()
			task := asynqtrace.Inject(ctx, asynq.NewTask("email:welcome", nil),
				asynqtrace.WithPropagators(propagator), asynqtrace.WithBaggageKeys(keys...))
			if got := task.Headers()["baggage"]; got != want {
				t.Errorf("keys %v: injected %q", keys, got)
			}
		}
		got := e.handle(t, map[string]string{"traceparent": creator, "baggage": "tenant.id=t1,secret=s"}, asynqtrace.WithBaggageKeys("tenant.id"))
		if bag := baggage.FromContext(got).String(); bag != "tenant.id=t1" {
			t.Errorf("the handler has baggage %q", bag)
		}
	})
}

// Filtered tasks have neither spans nor metric points, and their trace goes on.
func TestFilter(t *testing.T) {
	onRedis(t, func(t *testing.T, e *env) {
		var seen []asynqtrace.Message
		none := asynqtrace.WithFilter(func(m asynqtrace.Message) bool { seen = append(seen, m); return false })
		client := asynqtrace.NewClient(asynq.NewClient(e.redis), append(e.options(), none)...)
		defer func() { _ = client.Close() }()
		ctx, request := e.request(t)
		info, err := client.EnqueueContext(ctx, asynq.NewTask("email:welcome", nil, asynq.Queue(e.queue), asynq.TaskID("f")))
		if err != nil {
			t.Fatal(err)
		}
		if sc := asynqtrace.SpanContextFromTaskInfo(info, asynqtrace.WithPropagators(propagator)); sc.SpanID() != request.SpanContext().SpanID() {
			t.Errorf("the task carries %v, want the caller's", info.Headers)
		}
		got := e.handle(t, info.Headers, none)
		if sc := trace.SpanContextFromContext(got); sc.SpanID() != request.SpanContext().SpanID() || !sc.IsRemote() {
			t.Errorf("the handler has %v", sc)
		}
		if n := len(e.Started()); n != 1 {
			t.Errorf("%d spans, want the caller's alone", n)
		}
		if m := seen[0]; len(seen) != 2 || m.Queue != e.queue || m.Type != "email:welcome" || m.ID != "f" || m.Attempt != 0 || m.AgeKnown {
			t.Errorf("the filter was asked about %+v", seen)
		}
	})
}

func TestErrorOnlyWhenExhausted(t *testing.T) {
	t.Parallel()
	onRedis(t, func(t *testing.T, e *env) {
		var calls atomic.Int64
		e.serveWith(t, asynq.Config{}, func(ctx context.Context, _ *asynq.Task) error {
			switch calls.Add(1) {
			case 1:
				return errors.New("try again")
			case 2:
				panic("try again")
			case 3:
				<-ctx.Done() // the attempt's timeout
				return nil
			default:
				return errors.New("no more")
			}
		}, asynqtrace.WithErrorOnlyWhenExhausted())
		if _, err := e.client(t).Enqueue(asynq.NewTask("email:welcome", nil,
			asynq.Queue(e.queue), asynq.MaxRetry(3), asynq.Timeout(time.Second))); err != nil {
			t.Fatal(err)
		}
		outcomes := []string{"retry", "retry", "deadline", "exhausted"}
		for i, s := range e.wait(t, "process "+e.queue, len(outcomes)) {
			got := attributes(s)
			failed := s.Status().Code == codes.Error
			if got["asynq.task.outcome"] != outcomes[i] || failed != (i == 3) || failed != (got["error.type"] != nil) {
				t.Errorf("attempt %d: %v, %v", i, s.Status(), got)
			}
		}
	})
}
