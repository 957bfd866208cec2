package auto

import (
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

// The environment variables. They stand for the options of amqptrace and asynqtrace, of which
// there are none where nobody calls them.
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

// disabled is true where the environment is not right. A program whose operator has asked for
// something that is not there, such as a baggage key less, runs without traces rather than
// with others.
var disabled atomic.Bool

func off() bool { return disabled.Load() }

var settings = sync.OnceValue(func() options {
	o, err := read(os.Getenv)
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

func read(getenv func(string) string) (options, error) {
	o := options{http: true, sdk: true}
	var errs []error
	fail := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s=%q: %w", name, getenv(name), fmt.Errorf(format, args...)))
	}
	is := func(name string, fallback bool) bool {
		text := getenv(name)
		if text == "" {
			return fallback
		}
		value, err := strconv.ParseBool(text)
		if err != nil {
			fail(name, "want true or false")
		}
		return value
	}

	if text := getenv(envRelation); text != "" {
		relation, known := relations[text]
		if age, ok := strings.CutPrefix(text, "continue-within:"); ok {
			d, err := time.ParseDuration(age)
			if known = err == nil && d > 0; known {
				relation.amqp, relation.asynq = amqptrace.ContinueWithin(d), asynqtrace.ContinueWithin(d)
			}
		}
		if !known {
			fail(envRelation, "want continue, new-trace, continue-unless-asked, or continue-within: and a duration as in continue-within:10m")
		} else {
			o.amqp = append(o.amqp, amqptrace.WithRelation(relation.amqp))
			o.asynq = append(o.asynq, asynqtrace.WithRelation(relation.asynq))
		}
	}
	if text := getenv(envBaggageKeys); text != "" {
		keys, err := baggageKeys(text)
		if err != nil {
			fail(envBaggageKeys, "%w", err)
		}
		o.amqp = append(o.amqp, amqptrace.WithBaggageKeys(keys...))
		o.asynq = append(o.asynq, asynqtrace.WithBaggageKeys(keys...))
	}
	if text := getenv(envQueues); text != "" {
		traced, err := queues(text)
		if err != nil {
			fail(envQueues, "%w", err)
		}
		o.amqp = append(o.amqp, amqptrace.WithFilter(func(m amqptrace.Message) bool {
			name := m.Queue
			if name == "" { // published
				if name = m.Exchange; name == "" {
					name = m.RoutingKey
				}
			}
			return traced(name)
		}))
		o.asynq = append(o.asynq, asynqtrace.WithFilter(func(m asynqtrace.Message) bool { return traced(m.Queue) }))
	}
	if is(envQueueTime, false) {
		o.amqp = append(o.amqp, amqptrace.WithQueueTime())
		o.asynq = append(o.asynq, asynqtrace.WithQueueTime())
	}
	if is(envBodySize, false) {
		o.amqp = append(o.amqp, amqptrace.WithBodySize())
	}
	if is(envSettleSpans, false) {
		o.amqp = append(o.amqp, amqptrace.WithSettleSpans())
	}
	if is(envOnlyExhausted, false) {
		o.asynq = append(o.asynq, asynqtrace.WithErrorOnlyWhenExhausted())
	}
	o.http, o.sdk = is(envHTTP, true), is(envSDK, true)
	return o, errors.Join(errs...)
}

// baggageKeys are names with commas between, or none.
func baggageKeys(text string) ([]string, error) {
	if text == "none" {
		return nil, nil
	}
	var keys []string
	for key := range strings.SplitSeq(text, ",") {
		key = strings.TrimSpace(key)
		if key == "" || strings.ContainsAny(key, " \t;=\"") {
			return nil, fmt.Errorf("%q is not the name of a baggage member; want names with commas between, or none", key)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// queues are patterns of path.Match with commas between. A name is traced if the last pattern
// that matches it has no minus before it, and where none matches, if the first pattern has one.
func queues(text string) (func(name string) bool, error) {
	patterns := strings.Split(text, ",")
	for i, p := range patterns {
		patterns[i] = strings.TrimSpace(p)
		if _, err := path.Match(strings.TrimPrefix(patterns[i], string(excluded)), ""); err != nil || patterns[i] == "" {
			return nil, fmt.Errorf("%q is not a pattern; want names or patterns with commas between, as in orders,mail.* or -health.*", p)
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
