package integration_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
)

// errorLimit is how long it may take to report that a server does not answer: longer than
// the program waits, to allow for a slow machine, and shorter than amqp091-go waits by
// default.
const errorLimit = 25 * time.Second

func TestServerThatDoesNotAnswerIsAClearError(t *testing.T) {
	t.Parallel()
	hole := newHole(t)
	for name, c := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"demo, no broker":           {[]string{amqpVariable + "=amqp://user:secret@" + closed}, nil, "RabbitMQ at " + closed},
		"demo, broker hangs":        {[]string{amqpVariable + "=amqp://user:secret@" + hole}, nil, "RabbitMQ at " + hole},
		"demo, bad broker URL":      {[]string{amqpVariable + "=amqp://user:secret@host:no"}, nil, amqpVariable},
		"demo, no Redis":            {[]string{redisVariable + "=" + closed}, nil, "Redis at " + closed},
		"demo, Redis hangs":         {[]string{redisVariable + "=" + hole}, nil, "Redis at " + hole},
		"demo, Redis with password": {[]string{redisVariable + "=redis://:secret@" + closed}, nil, "Redis at " + closed},
		"demo, bad Redis URL":       {[]string{redisVariable + "=redis://:secret@host:no"}, nil, redisVariable},
		"serve, no broker":          {[]string{amqpVariable + "=amqp://user:secret@" + closed}, []string{"-serve"}, "RabbitMQ"},
		"order, no broker": {
			[]string{amqpVariable + "=amqp://user:secret@" + closed},
			[]string{"-run", "order"}, "order-service: connect to RabbitMQ at " + closed,
		},
		"notification, no Redis": {
			[]string{redisVariable + "=" + closed},
			[]string{"-run", "notification"}, "notification-service: connect to Redis at " + closed,
		},
		"email, Redis hangs": {
			[]string{redisVariable + "=" + hole},
			[]string{"-run", "email"}, "email-worker: connect to Redis at " + hole,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := append(c.env, "OTEL_TRACES_EXPORTER=none", "HTTP_ADDR=127.0.0.1:0")
			p, code := finish(t, errorLimit, env, c.args...)
			text := p.stderr.String()
			if code != 1 || !strings.Contains(text, c.want) || strings.Count(text, "\n") != 1 {
				t.Errorf("exit code %d, standard error %q; want 1 and one line with %q", code, text, c.want)
			}
			for _, unwanted := range []string{"secret", "goroutine", "panic"} {
				if strings.Contains(text+p.stdout.String(), unwanted) {
					t.Errorf("the output has %q in it: %s", unwanted, text)
				}
			}
		})
	}
}

func TestUnknownArgumentsAreUsageErrors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-run", "shipping"}, {"-run", "order", "-serve"}, {"order"}, {"-x"}} {
		if p, code := finish(t, errorLimit, nil, args...); code != 2 || !strings.Contains(p.stderr.String(), "Usage") {
			t.Errorf("%q: exit code %d, standard error %q", args, code, p.stderr)
		}
	}
}

func TestDeadCollectorCostsAWarning(t *testing.T) {
	t.Parallel()
	for name, addr := range map[string]string{"down": closed, "hangs": newHole(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const suffix = " do not reach the Collector; the service goes on without it"
			d := deploy(t, config.Config{}, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+addr,
				"OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_BLRP_SCHEDULE_DELAY=20", "OTEL_METRIC_EXPORT_INTERVAL=20",
				// By default the warnings would take a while.
				"OTEL_BSP_EXPORT_TIMEOUT=1000", "OTEL_BLRP_EXPORT_TIMEOUT=1000", "OTEL_METRIC_EXPORT_TIMEOUT=1000")
			started := time.Now()
			for range 50 {
				if r := post(t, d.url, orderOf("customer@example.com", "tok_ok", "tea")); r.status != http.StatusCreated {
					t.Fatalf("status %d, body %v", r.status, r.body)
				}
			}
			lost := []string{"spans" + suffix, "metrics" + suffix, "log records" + suffix}
			for _, warning := range lost {
				d.order.logged(t, warning)
			}
			d.terminate(t)
			// The order service's process has two SDKs in it, each of which warns once a
			// minute.
			most := 2 * (1 + int(time.Since(started)/time.Minute))
			for _, warning := range lost {
				if n := d.order.warnings(warning); n < 1 || n > most {
					t.Errorf("%d times %q, want one for each SDK", n, warning)
				}
			}
		})
	}
}

// No export ends while the test runs, and the queues are full after the first
// order: an order that waits for the Collector waits longer than the client does.
func TestNobodyWaitsForADeadCollector(t *testing.T) {
	t.Parallel()
	d := deploy(t, config.Config{}, "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+newHole(t), "OTEL_EXPORTER_OTLP_TIMEOUT=3600000",
		"OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_BSP_EXPORT_TIMEOUT=3600000", "OTEL_BSP_MAX_QUEUE_SIZE=4",
		"OTEL_BLRP_SCHEDULE_DELAY=20", "OTEL_BLRP_EXPORT_TIMEOUT=3600000", "OTEL_BLRP_MAX_QUEUE_SIZE=4",
		"OTEL_METRIC_EXPORT_INTERVAL=20", "OTEL_METRIC_EXPORT_TIMEOUT=3600000")
	for range 50 {
		if r := post(t, d.url, orderOf("customer@example.com", "tok_ok", "tea")); r.status != http.StatusCreated {
			t.Fatalf("status %d, body %v", r.status, r.body)
		}
	}
	d.terminate(t)
}
