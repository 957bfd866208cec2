package traceview_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview/queues"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

// seen returns a span with attributes as one text, "key=value key=value", in which numbers
// and booleans are such. "scope" and "instance" set the instrumentation and the instance of
// the service.
func seen(s spans.Span, attributes string) spans.Span {
	for pair := range strings.FieldsSeq(attributes) {
		key, text, _ := strings.Cut(pair, "=")

		switch {
		case key == "scope":
			s.Scope.Name = text
		case key == "instance":
			s.Resource.Attributes = spans.Attributes{{Key: "service.instance.id", Value: text}}
		case text == "true":
			s = sample.With(s, key, true)
		case text == "0" || text == "2":
			s = sample.With(s, key, int64(text[0]-'0'))
		default:
			s = sample.With(s, key, text)
		}
	}

	return s
}

// Messages as the instrumentations of other languages, and of other versions of the
// conventions, show them. Queues are name, published, processed, waiting and retries.
func TestInstrumentations(t *testing.T) {
	sent := func(id uint64, kind trace.SpanKind, name, attributes string) spans.Span {
		return seen(sample.Span(id, 1, "shop", name, kind, 2, 3), attributes)
	}
	taken := func(id, parent uint64, name string, start, end float64, attributes string) spans.Span {
		return seen(sample.Span(id, parent, "billing", name, sample.Consumer, start, end), attributes)
	}

	const (
		rabbit  = "messaging.system=rabbitmq "
		orders  = rabbit + "messaging.destination.name=orders messaging.rabbitmq.destination.routing_key=k "
		process = "messaging.operation=process "
		receive = "messaging.operation=receive "
	)

	for name, tt := range map[string]struct {
		spans  []spans.Span
		drawn  []string // in this order
		queues string
	}{
		"conventions 1.17": {[]spans.Span{
			sent(2, sample.Producer, "orders publish", orders+"messaging.operation=publish messaging.destination.kind=topic"),
			taken(3, 2, "handle order", 20, 30, orders+process+"messaging.source.name=billing messaging.source.kind=queue"),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"conventions 1.17, a queue": {[]spans.Span{
			sent(2, sample.Producer, "send it", rabbit+"messaging.destination.name=billing messaging.destination.kind=queue"),
		}, []string{"not consumed for"}, "billing 1 0 1 0"},
		"Java, an exchange called a queue": {[]spans.Span{
			sent(2, sample.Producer, "orders send", rabbit+"messaging.destination=orders messaging.destination_kind=queue messaging.rabbitmq.routing_key=k"),
			taken(3, 2, "billing process", 20, 30, rabbit+process+"messaging.destination=orders messaging.destination_kind=queue messaging.rabbitmq.routing_key=k"),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"Java, the library and Spring": {[]spans.Span{
			sent(2, sample.Producer, "orders publish", orders),
			taken(3, 2, "billing process", 20, 20.1, orders+process+"scope=rabbitmq"),
			taken(4, 2, "billing process", 21, 30, rabbit+process+"messaging.destination.name=billing scope=spring"),
			taken(5, 2, "billing process", 50, 50.1, orders+process+"scope=rabbitmq"),
			taken(6, 2, "billing process", 51, 60, rabbit+process+"messaging.destination.name=billing scope=spring"),
		}, []string{"waited in billing", "17.0ms", "retried after", "attempt 2"}, "billing 1 2 0 1"},
		"Java, generated names": {[]spans.Span{
			sent(2, sample.Producer, "events publish", rabbit+"messaging.destination.name=events"),
			taken(3, 2, "<generated> process", 20, 21, rabbit+process+"messaging.destination.name=events instance=a"),
			taken(4, 2, "<generated> process", 30, 31, rabbit+process+"messaging.destination.name=events instance=b"),
		}, []string{"waited in amq.gen-*", "17.0ms", "waited in amq.gen-*", "27.0ms"}, "amq.gen-* 1 2 0 0"},
		"Node, generated names": {[]spans.Span{
			sent(2, sample.Producer, "publish events", rabbit+"messaging.destination=events messaging.destination_kind=topic"),
			taken(3, 2, "amq.gen-one process", 20, 21, rabbit+process+"messaging.destination=events"),
			taken(4, 2, "amq.gen-two process", 30, 31, rabbit+process+"messaging.destination=events"),
		}, []string{"waited in amq.gen-*", "17.0ms", "waited in amq.gen-*", "27.0ms"}, "amq.gen-* 1 2 0 0"},
		"Spring, anonymous groups": {[]spans.Span{
			sent(2, sample.Producer, "bus publish", rabbit+"messaging.destination.name=bus"),
			taken(3, 2, "bus.anonymous.KZbPi6ZhQLqAEx23jkR0Ng process", 20, 21, rabbit+process+"messaging.destination.name=bus"),
			taken(4, 2, "bus.anonymous.2CLqAEx23jkR0NgKZbPi6Z process", 30, 31, rabbit+process+"messaging.destination.name=bus"),
		}, []string{"waited in bus.anonymous.*", "17.0ms", "waited in bus.anonymous.*", "27.0ms"}, "bus.anonymous.* 1 2 0 0"},
		"pika": {[]spans.Span{
			sent(2, sample.Producer, "orders send", rabbit+"messaging.temp_destination=true messaging.destination=(temporary)"),
			taken(3, 2, "orders receive", 20, 30, rabbit+receive+"messaging.destination=ctag1.4f6e0c"),
		}, []string{"waited in orders"}, "orders 1 1 0 0"},
		"pika, nobody consumes": {[]spans.Span{
			sent(2, sample.Producer, "orders send", rabbit+"messaging.temp_destination=true messaging.destination=order.created"),
		}, []string{"not consumed for"}, "orders 1 0 1 0"},
		"aio-pika": {[]spans.Span{
			sent(2, sample.Producer, "orders,k send", rabbit+"messaging.temp_destination=true messaging.destination=orders,k"),
			taken(3, 2, "orders receive", 20, 30, rabbit+receive+"messaging.destination=orders"),
		}, []string{"waited in orders"}, "orders 1 1 0 0"},
		"aio-pika, the default exchange": {[]spans.Span{
			sent(2, sample.Producer, ",billing send", rabbit+"messaging.temp_destination=true messaging.destination=,billing"),
		}, []string{"not consumed for"}, "billing 1 0 1 0"},
		"a framework above the library, which is in the message": {[]spans.Span{
			sent(2, sample.Producer, "orders/k send", orders),
			seen(sample.Span(3, 2, "shop", "orders publish", sample.Producer, 2.5, 3), orders),
			taken(4, 3, "billing process", 20, 30, orders+process),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"a framework above the library, and is in the message": {[]spans.Span{
			sent(2, sample.Producer, "orders send", orders),
			seen(sample.Span(3, 2, "shop", "publish k", sample.Producer, 2.5, 3), orders),
			taken(4, 2, "billing process", 20, 30, orders+process),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"a framework above the library, and nobody consumes": {[]spans.Span{
			sent(2, sample.Producer, "orders send", orders),
			seen(sample.Span(3, 2, "shop", "publish k", sample.Producer, 2.5, 3), orders),
		}, []string{"not consumed for"}, "orders 1 0 1 0"},
		"a client's span below the message's": {[]spans.Span{
			sent(2, sample.Producer, "create orders", orders),
			seen(sample.Span(3, 2, "shop", "send orders", sample.Client, 2.5, 3), orders+"messaging.operation.type=send"),
		}, []string{"not consumed for"}, "orders 1 0 1 0"},
		"pika before": {[]spans.Span{
			sent(2, sample.Producer, "(temporary) send", rabbit+"messaging.temp_destination=true messaging.destination=orders"),
			taken(3, 2, "ctag1.4f6e0c receive", 20, 30, rabbit+receive+"messaging.destination=billing"),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"MassTransit": {[]spans.Span{
			sent(2, sample.Producer, "Contracts:OrderCreated send", rabbit+"messaging.operation=send messaging.destination.name=Contracts:OrderCreated"),
			taken(3, 2, "order-created receive", 20, 30, rabbit+receive+"messaging.destination.name=order-created"),
			taken(4, 3, "OrderCreatedConsumer process", 21, 29, process+"messaging.masstransit.consumer_type=OrderCreatedConsumer"),
		}, []string{"waited in order-created"}, "order-created 1 1 0 0"},
		"MassTransit, a batch": {[]spans.Span{
			taken(3, 1, "order-created receive", 20, 30, rabbit+receive+"messaging.destination.name=order-created messaging.batch.message_count=2"),
			taken(4, 3, "OrderCreatedConsumer process", 21, 29, process+"messaging.masstransit.consumer_type=OrderCreatedConsumer"),
		}, nil, "order-created 0 2 0 0"},
		"Ruby": {[]spans.Span{
			sent(2, sample.Producer, "orders.k publish", rabbit+"messaging.destination=orders messaging.destination_kind=queue messaging.rabbitmq.routing_key=k"),
			seen(sample.Span(3, 0, "billing", "orders.k receive", sample.Consumer, 20, 30), rabbit+receive+"messaging.destination=orders messaging.rabbitmq.routing_key=k"),
			sample.Linked(taken(4, 3, "orders.k process", 21, 29, ""), sample.LinkTo(2)),
		}, []string{"waited in orders.k since orders.k publish", "18.0ms"}, "orders.k 1 1 0 0"},
		"Ruby, the default exchange, in another trace": {[]spans.Span{
			seen(sample.Span(3, 0, "billing", ".billing receive", sample.Consumer, 20, 30), rabbit+receive+"messaging.destination_kind=queue messaging.rabbitmq.routing_key=billing"),
			sample.Linked(taken(4, 3, ".billing process", 21, 29, ""), spans.Link{TraceID: sample.OtherID, SpanID: sample.SpanID(9)}),
		}, nil, "billing 0 1 0 0"},
		"a batch that is not known as one": {[]spans.Span{
			taken(3, 1, "receive billing", 20, 50, rabbit+receive+"messaging.destination.name=billing"),
			sample.Linked(taken(4, 3, "process billing", 21, 29, rabbit+process+"messaging.destination.name=billing"), spans.Link{TraceID: sample.OtherID, SpanID: sample.SpanID(8)}),
			sample.Linked(taken(5, 3, "process billing", 31, 39, rabbit+process+"messaging.destination.name=billing"), spans.Link{TraceID: sample.OtherID, SpanID: sample.SpanID(9)}),
		}, nil, "billing 0 2 0 0"},
		"PHP": {[]spans.Span{
			sent(2, sample.Producer, "orders k publish", rabbit+"messaging.operation.type=send messaging.destination.name=k messaging.rabbitmq.destination.routing_key=k"),
			taken(3, 2, "billing process", 20, 30, rabbit+process+"messaging.destination.name=billing"),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"PHP, nobody consumes": {[]spans.Span{
			sent(2, sample.Producer, "orders k publish", rabbit+"messaging.operation.type=send messaging.destination.name=k messaging.rabbitmq.destination.routing_key=k"),
		}, []string{"not consumed for"}, "orders 1 0 1 0"},
		"PHP, the default exchange": {[]spans.Span{
			sent(2, sample.Producer, "billing publish", rabbit+"messaging.operation.type=send messaging.destination.name=billing messaging.rabbitmq.destination.routing_key=billing"),
		}, []string{"not consumed for"}, "billing 1 0 1 0"},
		"gets that found nothing": {[]spans.Span{
			taken(3, 1, "receive billing", 20, 21, rabbit+"messaging.operation.type=receive messaging.batch.message_count=0"),
			sample.With(taken(4, 1, "fetch (empty) billing", 20, 21, rabbit+"messaging.operation.type=receive messaging.destination.name=amq.default"),
				"messaging.operation.name", "fetch (empty)"), // .NET's
		}, nil, ""},
		".NET, the default exchange": {[]spans.Span{
			sent(2, sample.Producer, "publish billing", rabbit+"messaging.operation.name=publish messaging.operation.type=send messaging.destination.name=amq.default messaging.rabbitmq.destination.routing_key=billing"),
			taken(3, 2, "deliver billing", 20, 30, rabbit+"messaging.operation.name=deliver messaging.operation.type=process messaging.destination.name=amq.default messaging.rabbitmq.destination.routing_key=billing"),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"received, then processed": {[]spans.Span{
			sent(2, sample.Producer, "publish orders", orders),
			sample.Linked(taken(3, 2, "receive billing", 20, 30, orders+"messaging.operation.type=receive"), sample.LinkTo(2)),
			sample.Linked(taken(4, 3, "process billing", 21, 29, orders+"messaging.operation.type=process"), sample.LinkTo(2)),
		}, []string{"waited in billing"}, "billing 1 1 0 0"},
		"a batch received, then processed one by one": {[]spans.Span{
			sent(2, sample.Producer, "publish orders", orders),
			sent(3, sample.Producer, "publish orders", orders),
			sample.Linked(taken(4, 0, "receive billing", 20, 40, orders+"messaging.operation.type=receive messaging.batch.message_count=2"), sample.LinkTo(2), sample.LinkTo(3)),
			sample.Linked(taken(5, 4, "process billing", 21, 29, orders+"messaging.operation.type=process"), sample.LinkTo(2)),
			sample.Linked(taken(6, 4, "process billing", 30, 39, orders+"messaging.operation.type=process"), sample.LinkTo(3)),
		}, []string{"waited in billing", "waited in billing"}, "billing 2 2 0 0"},
		"created, then sent as a batch": {[]spans.Span{
			sent(2, sample.Producer, "create orders", orders+"messaging.operation.type=create"),
			sent(3, sample.Producer, "create orders", orders+"messaging.operation.type=create"),
			sample.Linked(sent(4, sample.Client, "send orders", orders+"messaging.operation.type=send messaging.batch.message_count=2"), sample.LinkTo(2), sample.LinkTo(3)),
			taken(5, 2, "process billing", 20, 30, orders+"messaging.operation.type=process"),
			taken(6, 3, "process billing", 20, 30, orders+"messaging.operation.type=process"),
		}, []string{"waited in billing", "waited in billing"}, "billing 2 2 0 0"},
		"sent without context": {[]spans.Span{
			sent(2, sample.Client, "publish orders", orders+"messaging.operation.type=send"),
		}, nil, "orders 1 0 0 0"},
		"two messages of one publish span": {[]spans.Span{
			sent(2, sample.Producer, "publish orders", orders),
			taken(3, 2, "process billing", 20, 30, orders+process),
			taken(4, 2, "process billing", 21, 25, orders+process),
		}, []string{"waited in billing", "17.0ms", "waited in billing", "18.0ms"}, "billing 1 2 0 0"},
		"an acknowledged message, and a copy": {[]spans.Span{
			sent(2, sample.Producer, "publish orders", orders),
			taken(3, 2, "process billing", 20, 30, orders+process+"mqtrace.settlement=ack"),
			taken(4, 2, "process billing", 40, 50, orders+process+"mqtrace.settlement=ack"),
		}, []string{"waited in billing", "17.0ms", "waited in billing", "37.0ms"}, "billing 1 2 0 0"},
		"a retry by skewed clocks": {[]spans.Span{
			sent(2, sample.Producer, "publish orders", orders),
			sample.Fail(taken(3, 2, "process billing", 20, 30, orders+process), "full", ""),
			taken(4, 2, "process billing", 29, 35, orders+process),
		}, []string{"waited in billing", "17.0ms", "waited in billing", "26.0ms", "attempt 2"}, "billing 1 2 0 1"},
		"two handlers in one trace": {[]spans.Span{
			sent(2, sample.Producer, "publish orders", orders),
			taken(3, 2, "process billing", 20, 30, orders+process),
			seen(sample.Span(4, 3, "billing", "publish mail", sample.Producer, 22, 23), rabbit+"messaging.destination.name=mail"),
			taken(5, 4, "process mail", 25, 29, rabbit+process+"messaging.destination.name=mail"),
		}, []string{"waited in billing", "waited in mail"}, "billing 1 1 0 0, mail 1 1 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			root := sample.Span(1, 0, "shop", "POST /orders", sample.Server, 0, 5)
			tr := spans.Trace{ID: sample.ID, Spans: append([]spans.Span{root}, tt.spans...)}

			var out strings.Builder
			_ = terminal.WriteTree(&out, tr, terminal.Options{Width: 140, Now: sample.Epoch.Add(time.Minute)})

			rest := out.String()
			for _, text := range tt.drawn {
				_, after, ok := strings.Cut(rest, text)
				if !ok {
					t.Errorf("no %q in the rest of\n%s", text, out.String())
				}

				rest = after
			}

			for text, most := range map[string]int{
				"waited": strings.Count(fmt.Sprint(tt.drawn), "waited"), "retried": strings.Count(fmt.Sprint(tt.drawn), "retried"),
				"not consumed for": strings.Count(fmt.Sprint(tt.drawn), "not consumed for"),
			} {
				if n := strings.Count(out.String(), text); n > most {
					t.Errorf("%d times %q in\n%s", n, text, out.String())
				}
			}

			var list []string
			for _, q := range queues.Find([]spans.Trace{tr}, sample.Epoch.Add(time.Minute)).Queues {
				list = append(list, fmt.Sprintf("%s %d %d %d %d", q.Name, q.Published, q.Processed, q.Waiting, q.Retries))
			}

			if got := strings.Join(list, ", "); got != tt.queues {
				t.Errorf("queues: %s, want %s", got, tt.queues)
			}
		})
	}
}

// The note is also there if the process span is not below the publish span.
func TestClocksThatDiffer(t *testing.T) {
	tr := spans.Trace{ID: sample.ID, Spans: []spans.Span{
		sample.Span(1, 0, "shop", "publish billing", sample.Producer, 800, 801),
		sample.Linked(sample.Span(2, 0, "billing", "process billing", sample.Consumer, 0, 20), sample.LinkTo(1)),
	}}

	var out strings.Builder
	_ = terminal.WriteTree(&out, tr, terminal.Options{Width: 140})

	if !strings.Contains(out.String(), "starts 800ms before its message was sent: clocks differ") {
		t.Error(out.String())
	}
}
