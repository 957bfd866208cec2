package probe

import (
	"fmt"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqphistory"
)

// Hop is a station on the route that the message itself records.
type Hop struct {
	// Kind is dead letter, shovel, federation, or service: a program that consumed and
	// republished the message.
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

// The kinds of hops.
const (
	hopDeadLetter = "dead letter"
	hopShovel     = "shovel"
	hopFederation = "federation"
	hopService    = "service"
)

// maxHops bounds how many hops of a kind are reported.
const maxHops = 16

// readHops reads the headers in which RabbitMQ and its plugins record a message's route,
// earliest first within each kind. URIs are left out, since they may contain passwords.
func readHops(headers amqp.Table, fields []Field) []Hop {
	var hops []Hop
	deaths := amqphistory.Read(headers, "", false).Deaths
	for _, d := range slices.Backward(deaths) {
		hops = append(hops, Hop{hopDeadLetter, fmt.Sprintf("from queue %q, %s, %s", d.Queue, d.Reason, count(int(d.Count), "time"))})
	}
	// https://www.rabbitmq.com/docs/shovel-dynamic, ack-mode and add-forward-headers
	hops = append(hops, recorded(headers, "x-shovelled", hopShovel, "shovel-name", "src-queue", "src-exchange", "dest-queue", "dest-exchange")...)
	// https://www.rabbitmq.com/docs/federated-exchanges#details
	hops = append(hops, recorded(headers, "x-received-from", hopFederation, "cluster-name", "exchange", "queue")...)
	if fields[0].Status == Continued {
		hops = append(hops, Hop{hopService, "span " + spanContext(fields[0].Received).SpanID().String()})
	}
	return hops
}

// recorded reads a header that is a list of tables, the latest first.
func recorded(headers amqp.Table, header, kind string, keys ...string) []Hop {
	entries, _ := headers[header].([]any)
	var hops []Hop
	for _, entry := range entries[:min(len(entries), maxHops)] {
		t, ok := entry.(amqp.Table)
		if !ok {
			continue
		}
		var details []string
		for _, key := range keys {
			if s, ok := t[key].(string); ok && s != "" {
				details = append(details, fmt.Sprintf("%s %q", key, s[:min(len(s), maxReceived)]))
			}
		}
		hops = append(hops, Hop{kind, strings.Join(details, ", ")})
	}
	slices.Reverse(hops)
	return hops
}

func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}
