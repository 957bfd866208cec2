package demo

import (
	"fmt"
	"strings"

	"github.com/mqtrace/mqtrace/examples/order-notification/shop"
)

// greet prints where everything is, as commands that can be copied.
func (s *staging) greet(servers string, without []shop.Part) {
	env := s.backend.Environment()
	fmt.Fprintf(s.out, `The services run on %s, until Ctrl-C. Their traces:

  %s

Type, in another terminal:

  curl -i %s/orders -H 'X-Tenant-ID: acme' -d '{"email":"customer@example.com","payment_token":"tok_ok","items":[{"sku":"tea","quantity":1}]}'

Its trace is on the page a second later, and printed here after a few more. Other things
to try: the address flaky@example.com, the article samovar, the tokens tok_declined,
tok_unavailable and tok_panic. What waits in the queues:

  %sgo run ./cmd/mqtrace peek amqp %s
  %sgo run ./cmd/mqtrace peek asynq %s
`, servers, s.receiver.URL(), s.shop.OrderURL(), assignments(env), s.topology.Queue, assignments(env), s.emailQueue)
	if len(without) == 0 {
		return
	}
	fmt.Fprint(s.out, "\nNot running here; start it in a terminal of its own, and stop it with Ctrl-C as often as you like:\n\n")
	if s.backend.Prefix != "" {
		env = append(env, "NAME_PREFIX="+s.backend.Prefix)
	}
	if url := s.receiver.URL(); url != "http://"+viewAddr {
		env = append(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="+url+"/v1/traces")
	}
	// The page receives traces only.
	env = append(env, "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none")
	for _, part := range without {
		own := env
		if part == shop.Email {
			own = append([]string{"EMAIL_RETRY_DELAY=" + emailRetryDelay.String()}, env...)
		}
		fmt.Fprintf(s.out, "  %sgo run ./examples/order-notification -run %s\n", assignments(own), part)
	}
	if s.backend.OnRealServers() {
		fmt.Fprint(s.out, "\nThese commands need the MQTRACE_* variables that this one was given.\n")
	}
}

// assignments returns variables as they are written before a shell command.
func assignments(env []string) string {
	if len(env) == 0 {
		return ""
	}
	return strings.Join(env, " ") + " "
}
