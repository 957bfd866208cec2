package main

import (
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/hibiken/asynq"
)

// probeNames replaces what differs from run to run.
func probeNames(text, queue string) string {
	return replace(strings.ReplaceAll(text, queue, "orders"),
		`mqtrace-tool-\d+-\d+`, "retry", `mqtrace-probe-[A-Z2-7]+`, "mqtrace-probe-ID",
		`00-[0-9a-f]{32}-[0-9a-f]{16}-01`, "00-TRACE-SPAN-01", `"seconds": [\d.e-]+`, `"seconds": 1`,
		`(in|after) [\d.]+[µm]?s`, "$1 1ms")
}

func TestProbeAMQP(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		retry := newQueue(t, ch, amqp.Table{
			"x-message-ttl": int32(20), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue,
		})
		golden(t, "probe-amqp", probeNames(ok(t, "probe", "amqp", "-amqp", url, "-key", retry, "-queue", queue, "-via", "amq.direct:none"), queue))
		golden(t, "probe-amqp.json", probeNames(ok(t, "probe", "amqp", "-amqp", url, "-queue", queue, "-o", "json"), queue))
		golden(t, "probe-amqp-temporary", probeNames(ok(t, "probe", "amqp", "-amqp", url, "-exchange", "amq.topic", "-key", queue, "-temporary"), queue))

		r := tool(t, "probe", "amqp", "-amqp", url, "-key", queue+"-none", "-queue", queue)
		golden(t, "probe-amqp-unroutable", probeNames(r.stdout, queue))
		if r.code != exitDamaged || !strings.Contains(r.stderr, "did not survive: unroutable") {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
	})
}

// republish is a middleman: it moves messages from one queue to another, with changed
// headers.
func republish(t *testing.T, ch *amqp.Channel, from, to string, change func(headers amqp.Table)) {
	t.Helper()
	deliveries, err := ch.Consume(from, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for d := range deliveries {
			change(d.Headers)
			_ = ch.PublishWithContext(t.Context(), "", to, false, false, amqp.Publishing{Headers: d.Headers})
		}
	}()
}

// A middleman that breaks things gets its own golden file, and the tool fails.
func TestProbeAMQPDamaged(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		first, queue := newQueue(t, ch, nil), newQueue(t, ch, nil)
		republish(t, ch, first, queue, func(headers amqp.Table) {
			delete(headers, "baggage")
			headers["tracestate"] = []byte(headers["tracestate"].(string))
		})
		for format, name := range map[string]string{"text": "probe-amqp-damaged", "json": "probe-amqp-damaged.json"} {
			r := tool(t, "probe", "amqp", "-amqp", url, "-key", first, "-queue", queue, "-o", format)
			golden(t, name, probeNames(r.stdout, queue))
			if r.code != exitDamaged || !strings.Contains(r.stderr, "did not survive: damaged") {
				t.Errorf("exit code %d, %s", r.code, r.stderr)
			}
		}
	})
}

// A routing key may contain commas.
func TestProbeKeyWithCommas(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, _ *amqp.Channel) {
		const key = "a,b"
		out := ok(t, "probe", "amqp", "-amqp", url, "-exchange", "amq.topic", "-key", key, "-temporary", "-via", "amq.topic:"+key)
		if strings.Contains(out, "not seen") || !strings.Contains(out, "survived") {
			t.Errorf("%s", out)
		}
	})
}

func TestProbeAMQPUsage(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		for _, args := range [][]string{
			{"exactly one of -queue and -temporary"},
			{"exactly one of -queue and -temporary", "-temporary", "-queue", "q"},
			{"-temporary requires -exchange", "-temporary", "-key", "k"},
			{"EXCHANGE:KEY", "-queue", "q", "-via", "x"},
			{"EXCHANGE:KEY", "-queue", "q", "-via", ":k"},
			append([]string{"at most 16", "-queue", "q"}, slices.Repeat([]string{"-via", "x:k"}, 17)...),
			{"-queue is longer than 255 bytes", "-queue", strings.Repeat("q", 256)},
			{"the key of -via is longer than 255 bytes", "-queue", "q", "-via", "x:" + strings.Repeat("k", 256)},
			{"from 1ms to 1h", "-queue", "q", "-timeout", "0s"},
			{"text or json", "-queue", "q", "-o", "xml"},
			{`argument "x"`, "-queue", "q", "x"},
		} {
			fails(t, exitUsage, args[0], append([]string{"probe", "amqp", "-amqp", url}, args[1:]...)...)
		}
		fails(t, exitUsage, "-amqp is not a valid", "probe", "amqp", "-amqp", "http://u:geheim@h", "-queue", "q")
		fails(t, exitFailed, "NOT_FOUND", "probe", "amqp", "-amqp", url, "-queue", unique())
		queue := newQueue(t, ch, nil)
		fill(t, ch, queue, amqp.Publishing{})
		fails(t, exitFailed, "has 1 message and 0 consumers", "probe", "amqp", "-amqp", url, "-queue", queue)
		fails(t, exitFailed, "-temporary probes", "probe", "amqp", "-amqp", url, "-queue", queue)
	})
}

func TestProbeAsynq(t *testing.T) {
	onRedis(t, func(t *testing.T, addr, queue string) {
		client := asynq.NewClient(redisAt(t, addr))
		defer client.Close()
		if _, err := client.Enqueue(asynq.NewTask("theirs", nil), asynq.Queue(queue)); err != nil {
			t.Fatal(err)
		}
		golden(t, "probe-asynq", probeNames(ok(t, "probe", "asynq", "-redis", addr, "-queue", queue), queue))
		golden(t, "probe-asynq.json", probeNames(ok(t, "probe", "asynq", "-redis", addr, "-queue", queue, "-o", "json"), queue))
		fails(t, exitFailed, "queue not found", "probe", "asynq", "-redis", addr, "-queue", queue+"-none")
		fails(t, exitUsage, `argument "x"`, "probe", "asynq", "-redis", addr, "x")
	})
}
