package peek_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
)

// Bodies are shown on request, with bounded size and unable to drive the terminal, whatever
// is in them.
func TestBodies(t *testing.T) {
	long := strings.Repeat("é", peek.MaxBody) // MaxBody is at a character boundary, one byte less is not
	tests := []struct {
		name, body, text, base64, printed string
		truncated                         bool
	}{
		{name: "text", body: `{"order":1}`, text: `{"order":1}`, printed: `body {"order":1}`},
		{name: "control characters", body: evil, text: evil, printed: `body \x1b[2J\u009b31m`},
		{name: "binary", body: "a\xff\x00", base64: "a\xff\x00", printed: "body a\ufffd\\x00"},
		{name: "long", body: long, text: long[:peek.MaxBody], printed: "(1024 of 2048 bytes)", truncated: true},
		{name: "cut within a character", body: "x" + long, text: "x" + long[:peek.MaxBody-2], printed: "(1023 of 2049 bytes)", truncated: true},
		{name: "long binary", body: strings.Repeat("\xbf", 5000), base64: strings.Repeat("\xbf", peek.MaxBody), printed: "(1024 of 5000 bytes)", truncated: true},
		{name: "empty"},
	}
	check := func(t *testing.T, i int, m *peek.Message) {
		t.Helper()
		tt := tests[i]
		if m.Body != tt.text || string(m.BodyBase64) != tt.base64 || m.BodyTruncated != tt.truncated || m.BodyBytes != len(tt.body) {
			t.Errorf("%s: %q, %q, truncated %v, %d bytes", tt.name, m.Body, m.BodyBase64, m.BodyTruncated, m.BodyBytes)
		}
		var out bytes.Buffer
		ok(t, peek.Print(&out, &list{messages: []peek.Message{*m}}, 1, peek.Format{Width: 100}))
		wantHarmless(t, out.String())
		text := strings.Join(strings.Fields(out.String()), " ")
		if !strings.Contains(text, tt.printed) || tt.body == "" && strings.Contains(text, "body") {
			t.Errorf("%s: printed is\n%s", tt.name, out.String())
		}
	}
	onBroker(t, func(t *testing.T, s *scene) {
		for _, tt := range tests {
			s.publish("", s.queue, amqp.Publishing{Body: []byte(tt.body)})
		}
		for _, shown := range []bool{true, false} {
			all, err := read(t, s.open(len(tests), peek.Options{Bodies: shown}), len(tests))
			ok(t, err)
			for i := range all {
				if shown {
					check(t, i, &all[i])
				} else if all[i].Body != "" || all[i].BodyBase64 != nil || all[i].BodyBytes != len(tests[i].body) {
					t.Errorf("shown, not asked for: %+v", all[i])
				}
			}
		}
	})
	onRedis(t, func(t *testing.T, s *tasks) {
		for _, tt := range tests {
			s.enqueue(tt.name, asynq.NewTask("t", []byte(tt.body)))
		}
		all, err := read(t, s.open(peek.Options{Bodies: true}, "pending"), len(tests))
		ok(t, err)
		for i := range all {
			for j := range tests {
				if tests[j].name == all[i].ID {
					check(t, j, &all[i])
				}
			}
		}
	})
}
