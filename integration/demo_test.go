package integration_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// demoLimit is longer than the demo waits for any one trace.
const demoLimit = 2 * time.Minute

func TestDemoShowsFiveTraces(t *testing.T) {
	t.Parallel()
	p, code := finish(t, demoLimit, nil)
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	checkDemo(t, p, "")
	if log := p.stderr.String(); log != "" {
		t.Errorf("standard error is not empty: %s", log)
	}
}

// If servers are named, the demo runs on them, and fails if one does not answer.
func TestDemoOnNamedServers(t *testing.T) {
	t.Parallel()
	url, redis := os.Getenv(amqpVariable), os.Getenv(redisVariable)
	if url == "" && redis == "" {
		return // the same as TestDemo
	}
	p, code := finish(t, demoLimit, []string{amqpVariable + "=" + url, redisVariable + "=" + redis})
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	checkDemo(t, p, `demo-[a-z2-7]{8}\.`)
}

// checkDemo reads what the demo printed. prefix is a pattern.
func checkDemo(t *testing.T, p *program, prefix string) {
	t.Helper()
	out := p.stdout.String()
	tree := between(out, "1. A good order", "2. An order whose email fails once")
	services := make(map[string]bool)
	rest := tree
	// In this order, each on a line of its own: a span's name and its service.
	for _, line := range []string{
		`POST /orders +order-service +server`,
		`place order +order-service +internal`,
		`charge payment +order-service +internal`,
		`POST /payments +order-service +client`,
		`POST /payments +payment-service +server`,
		`publish ` + prefix + `orders +order-service +producer`,
		`process ` + prefix + `order-notifications +notification-service +consumer`,
		`enqueue ` + prefix + `emails +notification-service +producer`,
		`process ` + prefix + `emails +email-worker +consumer`,
		`send email +email-worker +internal`,
	} {
		at := regexp.MustCompile(`(?m)^.*` + line + `.*$`).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("the good order's tree has no line like %q after the one before:\n%s", line, tree)
		}
		services[strings.Fields(line[strings.Index(line, " +")+2:])[0]] = true
		rest = rest[at[1]:]
	}
	if len(services) < 3 {
		t.Errorf("spans of %v only", services)
	}
	for title, wants := range map[string][]string{
		"1. A good order":                    {"tenant.id=acme", "email sent"},
		"2. An order whose email fails once": {"mailbox busy", "email sent"},
		"3. An order for a sold-out article": {"order.outcome=out_of_stock"},
		"4. An order whose payment fails":    {"payment_failed", "request handler panicked"},
		"5. A malformed message":             {"malformed order event", `order-notifications.d`, "dead letter"},
	} {
		section := between(out, title, "\n   > ")
		for _, want := range wants {
			if !strings.Contains(section, want) {
				t.Errorf("%q does not show %q:\n%s", title, want, section)
			}
		}
		if got := len(regexp.MustCompile(`(?m)^trace [0-9a-f]{32} `).FindAllString(section, -1)); got != 1 {
			t.Errorf("%q shows %d traces", title, got)
		}
	}
	if strings.Contains(between(out, "3. An order", "4. An order"), "✖") {
		t.Error("out of stock is shown as an error")
	}
	if strings.Contains(out, "\x1b") {
		t.Error("the output has colours, but is not a terminal")
	}
}

// between returns the text between two others, or up to the end if the second does not
// follow.
func between(text, from, to string) string {
	_, after, _ := strings.Cut(text, from)
	before, _, _ := strings.Cut(after, to)
	return before
}

func TestDemoSendsToTheEnvironmentsEndpointToo(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	p, code := finish(t, demoLimit, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_SERVICE_NAME=everything"})
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	checkDemo(t, p, "")
	id := regexp.MustCompile(`trace ([0-9a-f]{32}) `).FindStringSubmatch(p.stdout.String())[1]
	c.wait(t, id, postOrders, payments, "notification-service: process order-notifications",
		"email-worker: process emails")
}

func TestDemoSaysWhyItCannotShowEverything(t *testing.T) {
	t.Parallel()
	for _, env := range [][]string{
		{"OTEL_SDK_DISABLED=true"},
		{"OTEL_TRACES_SAMPLER=always_off"},
		{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.5"},
		{"OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=production"},
	} {
		p, code := finish(t, errorLimit, env)
		if code != 1 || !strings.Contains(p.stderr.String(), "OTEL_TRACES_SAMPLER=parentbased_always_on") {
			t.Errorf("%v: exit code %d, standard error %q", env, code, p.stderr)
		}
	}
}
