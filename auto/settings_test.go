package auto

import (
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	tests := map[string]struct {
		env         map[string]string
		amqp, asynq int
		errors      []string
	}{
		"nothing": {},
		"all": {
			env: map[string]string{
				envRelation: "continue-within:10m", envBaggageKeys: "tenant, order.id", envQueues: "-health.*",
				envQueueTime: "true", envBodySize: "1", envSettleSpans: "true", envOnlyExhausted: "true", envHTTP: "false", envSDK: "false",
			},
			amqp: 6, asynq: 5,
		},
		"no baggage": {env: map[string]string{envBaggageKeys: "none"}, amqp: 1, asynq: 1},
		"new trace":  {env: map[string]string{envRelation: "new-trace"}, amqp: 1, asynq: 1},
		"false":      {env: map[string]string{envQueueTime: "false"}},
		"wrong": {
			env: map[string]string{
				envRelation: "sometimes", envBaggageKeys: "a=b", envQueues: "[", envQueueTime: "yes", envHTTP: "maybe",
			},
			errors: []string{
				`MQTRACE_RELATION="sometimes": want continue, new-trace`, `MQTRACE_BAGGAGE_KEYS="a=b": "a=b" is not`,
				`MQTRACE_QUEUES="[": "[" is not a pattern`, `MQTRACE_QUEUE_TIME="yes": want true or false`, `MQTRACE_HTTP="maybe"`,
			},
		},
		"no duration":       {env: map[string]string{envRelation: "continue-within:"}, errors: []string{"continue-within:10m"}},
		"negative duration": {env: map[string]string{envRelation: "continue-within:-1s"}, errors: []string{"continue-within:10m"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o, err := read(func(name string) string { return test.env[name] })
			if (err != nil) != (test.errors != nil) {
				t.Fatal(err)
			}
			for _, want := range test.errors {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q", err, want)
				}
			}
			if err == nil && (len(o.amqp) != test.amqp || len(o.asynq) != test.asynq) {
				t.Errorf("%d and %d options, want %d and %d", len(o.amqp), len(o.asynq), test.amqp, test.asynq)
			}
			if on := test.env[envHTTP] == ""; err == nil && (o.http != on || o.sdk != on) {
				t.Errorf("http %t, sdk %t", o.http, o.sdk)
			}
		})
	}
}

func TestQueues(t *testing.T) {
	tests := []struct{ patterns, traced, not string }{
		{"orders", "orders", "emails"},
		{"orders, mail.*", "orders mail.in", "emails"},
		{"-health.*", "orders", "health.check"},
		{"-*,orders", "orders", "emails"},
		{"mail.*,-mail.debug", "mail.in", "mail.debug orders"},
	}
	for _, test := range tests {
		traced, err := queues(test.patterns)
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(test.traced) {
			if !traced(name) {
				t.Errorf("%s: %s is not traced", test.patterns, name)
			}
		}
		for name := range strings.FieldsSeq(test.not) {
			if traced(name) {
				t.Errorf("%s: %s is traced", test.patterns, name)
			}
		}
	}
	for _, wrong := range []string{"", " ", "orders,", "["} {
		if _, err := queues(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
