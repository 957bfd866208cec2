package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
)

// hostile is what an attacker may write into a name or a header: it clears a screen, sets a
// window's title, hides and reorders text, and is not UTF-8.
const hostile = "\x1b[2J\x1b]0;title\x07\u009b31m\u202eevil\u2066\x7f\r\b\xff\xfe"

// harmless checks that nothing in the text drives a terminal.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	if !strings.Contains(text, "evil") {
		t.Errorf("%s does not show the message:\n%.500s", what, text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) && r != '\n' {
			t.Errorf("%s prints %U", what, r)
		}
	}
	if !utf8.ValidString(text) {
		t.Errorf("%s prints invalid UTF-8", what)
	}
}

// valid also checks that it is one JSON document.
func valid(t *testing.T, what, text string) {
	t.Helper()
	harmless(t, what, text)
	if !json.Valid([]byte(text)) {
		t.Errorf("%s prints no valid JSON:\n%.500s", what, text)
	}
}

func TestHostileMessages(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		fill(t, ch, queue,
			amqp.Publishing{MessageId: hostile, Type: hostile, AppId: hostile, CorrelationId: hostile},
			amqp.Publishing{Headers: amqp.Table{"traceparent": hostile, "baggage": hostile, "tracestate": hostile}},
			amqp.Publishing{Headers: amqp.Table{"traceparent": parentA, "baggage": "evil=%1B%5B2J%C2%9B31m"}},
			amqp.Publishing{Headers: amqp.Table{"traceparent": parentA, "huge": strings.Repeat("x", 100_000)}, Body: make([]byte, 1<<20)},
			amqp.Publishing{Headers: amqp.Table{"x-death": []any{
				amqp.Table{"queue": hostile, "reason": hostile, "exchange": hostile, "routing-keys": []any{hostile}, "count": int64(1)}, "no table",
			}}})
		args := []string{"peek", "amqp", "-amqp", url, "-baggage-values", queue}
		harmless(t, "peek amqp", ok(t, args...))
		valid(t, "peek amqp -o json", ok(t, append(args, "-o", "json")...))
		r := tool(t, "peek", "amqp", "-amqp", url, hostile[:20]+"evil")
		harmless(t, "an error", r.stderr)
	})
}

func TestHostileTasks(t *testing.T) {
	onRedis(t, func(t *testing.T, addr, queue string) {
		client := asynq.NewClient(redisAt(t, addr))
		defer client.Close()
		// asynq keeps tasks as protobuf, whose strings are UTF-8.
		text := strings.ToValidUTF8(hostile, "?")
		task := asynq.NewTaskWithHeaders(text, make([]byte, 1<<20), map[string]string{"traceparent": text, "baggage": "evil=%1B%5B2J"})
		if _, err := client.Enqueue(task, asynq.Queue(queue), asynq.TaskID(text)); err != nil {
			t.Fatal(err)
		}
		args := []string{"peek", "asynq", "-redis", addr, "-baggage-values", queue}
		harmless(t, "peek asynq", ok(t, args...))
		valid(t, "peek asynq -o json", ok(t, append(args, "-o", "json")...))
	})
}

func TestHostileProbe(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		first, queue := newQueue(t, ch, nil), newQueue(t, ch, nil)
		republish(t, ch, first, queue, func(headers amqp.Table) {
			headers["traceparent"] = hostile
			headers["x-shovelled"] = []any{amqp.Table{"src-queue": hostile}}
		})
		for format, check := range map[string]func(*testing.T, string, string){"text": harmless, "json": valid} {
			r := tool(t, "probe", "amqp", "-amqp", url, "-key", first, "-queue", queue, "-o", format)
			if r.code != exitDamaged {
				t.Errorf("exit code %d, %s", r.code, r.stderr)
			}
			check(t, "probe amqp -o "+format, r.stdout)
		}
	})
}

func TestHostileTraces(t *testing.T) {
	name, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("TRACE", traceA, "SPAN", spanA, "NAME", string(name)).Replace(`{"resourceSpans": [{
		"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": NAME}}, {"key": NAME, "value": {"stringValue": NAME}}]},
		"scopeSpans": [{"spans": [{"traceId": "TRACE", "spanId": "SPAN", "name": NAME, "status": {"code": 2, "message": NAME},
			"attributes": [{"key": NAME, "value": {"stringValue": NAME}}]}]}]}]}`)
	file := filepath.Join(t.TempDir(), "hostile.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	harmless(t, "trace", ok(t, "trace", file))
	valid(t, "trace -o json", ok(t, "trace", file, "-o", "json"))
}

// An error about an address does not contain it.
func TestNoPasswordIsPrinted(t *testing.T) {
	for _, url := range []string{
		"amqp://u:geheim@127.0.0.1:1/", "amqps://u:geheim@127.0.0.1:1/", "amqp://u:geheim@127.0.0.1:x/", "http://u:geheim@127.0.0.1:1/",
		"amqp://u:geheim%zz@127.0.0.1/", "amqp://u:geheim@host.invalid./", "geheim", "amqp://u:geheim@127.0.0.1:1/vhost?geheim=1",
	} {
		for _, command := range [][]string{{"peek", "amqp", "q"}, {"send", "amqp", "-key", "q"}, {"probe", "amqp", "-queue", "q"}, {"tap"}, {"tap", "-turn-on"}} {
			secret(t, append(command, "-amqp", url))
		}
	}
	for _, url := range []string{
		"redis://u:geheim@127.0.0.1:1", "redis://u:geheim@127.0.0.1:x", "redis://u:geheim%zz@127.0.0.1:1", "rediss://:geheim@127.0.0.1:1/0",
		"redis://:geheim@127.0.0.1:1/x", "redis-sentinel://:geheim@127.0.0.1:1", "http://:geheim@127.0.0.1:1",
	} {
		for _, command := range [][]string{{"peek", "asynq", "q"}, {"send", "asynq", "t"}, {"probe", "asynq"}} {
			secret(t, append(command, "-redis", url))
		}
	}
}

func secret(t *testing.T, args []string) {
	t.Helper()
	r := tool(t, args...)
	if r.code == 0 || strings.Contains(r.stdout+r.stderr, "geheim") || r.stderr == "" {
		t.Errorf("%q: exit code %d, %s%s", args, r.code, r.stdout, r.stderr)
	}
}
