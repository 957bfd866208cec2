package auto

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/asynqtrace"
)

// The environment variables. They take the place of the options of amqptrace and
// asynqtrace, which a program that does not call these packages cannot pass.
const (
	envRelation           = "MQTRACE_RELATION"
	envBaggageKeys        = "MQTRACE_BAGGAGE_KEYS"
	envQueues             = "MQTRACE_QUEUES"
	envQueueTime          = "MQTRACE_QUEUE_TIME"
	envBodySize           = "MQTRACE_BODY_SIZE"
	envSettleSpans        = "MQTRACE_SETTLE_SPANS"
	envOnlyExhausted      = "MQTRACE_ERROR_ONLY_WHEN_EXHAUSTED"
	envHTTP               = "MQTRACE_HTTP"
	envSDK                = "MQTRACE_SDK"
	excluded         byte = '-'
)

type options struct {
	amqp      []amqptrace.Option
	asynq     []asynqtrace.Option
	http, sdk bool
}

// disabled is true if the environment is invalid. The program then runs without traces
// rather than with other traces than its operator asked for.
var disabled atomic.Bool

func off() bool {
	settings()
	return disabled.Load()
}

var settings = sync.OnceValue(func() options {
	o, err := read(os.Getenv)
	if !isWoven() {
		err = errors.Join(err, errors.New("the build tool did not weave in the contexts of goroutines"))
	}
	if err != nil {
		disabled.Store(true)
		fmt.Fprintf(os.Stderr, "mqtrace: no traces: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return o
})

// relations by name.
var relations = map[string]struct {
	amqp  amqptrace.Relation
	asynq asynqtrace.Relation
}{
	"continue":              {amqptrace.ContinueTrace, asynqtrace.ContinueTrace},
	"new-trace":             {amqptrace.NewTrace, asynqtrace.NewTrace},
	"continue-unless-asked": {amqptrace.ContinueUnlessAsked, asynqtrace.ContinueUnlessAsked},
}

// reading holds what was read from the environment.
type reading struct {
	options

	getenv func(string) string
	errs   []error
}

func read(getenv func(string) string) (options, error) {
	r := reading{getenv: getenv}
	r.relation()
	r.baggage()
	r.queues()
	if r.is(envQueueTime, false) {
		r.amqp = append(r.amqp, amqptrace.WithQueueTime())
		r.asynq = append(r.asynq, asynqtrace.WithQueueTime())
	}
	if r.is(envBodySize, false) {
		r.amqp = append(r.amqp, amqptrace.WithBodySize())
	}
	if r.is(envSettleSpans, false) {
		r.amqp = append(r.amqp, amqptrace.WithSettleSpans())
	}
	if r.is(envOnlyExhausted, false) {
		r.asynq = append(r.asynq, asynqtrace.WithErrorOnlyWhenExhausted())
	}
	r.http, r.sdk = r.is(envHTTP, true), r.is(envSDK, true)
	return r.options, errors.Join(r.errs...)
}

func (r *reading) failf(name, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s=%q: "+format, append([]any{name, r.getenv(name)}, args...)...))
}

func (r *reading) is(name string, fallback bool) bool {
	text := r.getenv(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		r.failf(name, "want true or false")
	}
	return value
}

func (r *reading) relation() {
	text := r.getenv(envRelation)
	if text == "" {
		return
	}
	relation, known := relations[text]
	if age, ok := strings.CutPrefix(text, "continue-within:"); ok {
		d, err := time.ParseDuration(age)
		known = err == nil && d > 0
		relation.amqp, relation.asynq = amqptrace.ContinueWithin(d), asynqtrace.ContinueWithin(d)
	}
	if !known {
		r.failf(envRelation, "want continue, new-trace, continue-unless-asked, or continue-within with an age, as in continue-within:10m")
		return
	}
	r.amqp = append(r.amqp, amqptrace.WithRelation(relation.amqp))
	r.asynq = append(r.asynq, asynqtrace.WithRelation(relation.asynq))
}

func (r *reading) baggage() {
	text := r.getenv(envBaggageKeys)
	if text == "" {
		return
	}
	keys, err := baggageKeys(text)
	if err != nil {
		r.failf(envBaggageKeys, "%w", err)
	}
	r.amqp = append(r.amqp, amqptrace.WithBaggageKeys(keys...))
	r.asynq = append(r.asynq, asynqtrace.WithBaggageKeys(keys...))
}

func (r *reading) queues() {
	text := r.getenv(envQueues)
	if text == "" {
		return
	}
	traced, err := queues(text)
	if err != nil {
		r.failf(envQueues, "%w", err)
	}
	r.amqp = append(r.amqp, amqptrace.WithFilter(func(m amqptrace.Message) bool {
		return traced(cmp.Or(m.Queue, m.Exchange, m.RoutingKey)) // a published message has no queue
	}))
	r.asynq = append(r.asynq, asynqtrace.WithFilter(func(m asynqtrace.Message) bool { return traced(m.Queue) }))
}

// baggageKeys parses a comma-separated list of names, or none.
func baggageKeys(text string) ([]string, error) {
	if text == "none" {
		return nil, nil
	}
	var keys []string
	for key := range strings.SplitSeq(text, ",") {
		key = strings.TrimSpace(key)
		if key == "" || strings.ContainsAny(key, " \t;=\"") {
			return nil, fmt.Errorf("%q is not the name of a baggage member; want comma-separated names, or none", key)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// queues parses a comma-separated list of path.Match patterns. A name is traced if the last
// pattern that matches it has no leading minus or, if none matches, if the first pattern
// has one.
func queues(text string) (func(name string) bool, error) {
	patterns := strings.Split(text, ",")
	for i, p := range patterns {
		patterns[i] = strings.TrimSpace(p)
		if _, err := path.Match(strings.TrimPrefix(patterns[i], string(excluded)), ""); err != nil || patterns[i] == "" {
			return nil, fmt.Errorf("%q is not a pattern; want comma-separated names or patterns, as in orders,mail.* or -health.*", p)
		}
	}
	return func(name string) bool {
		traced := patterns[0][0] == excluded
		for _, p := range patterns {
			pattern := strings.TrimPrefix(p, string(excluded))
			if ok, _ := path.Match(pattern, name); ok {
				traced = p[0] != excluded
			}
		}
		return traced
	}, nil
}
