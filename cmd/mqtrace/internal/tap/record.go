package tap

import (
	"net"
	"strconv"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// traceExchange is where the firehose comes from.
const traceExchange = "amq.rabbitmq.trace"

// replyPrefix begins the routing key of a direct reply, which goes to a channel and not
// to a queue. https://www.rabbitmq.com/docs/direct-reply-to
const replyPrefix = "amq.rabbitmq.reply-to."

// record is what the firehose reports about one message.
type record struct {
	delivered   bool   // else published
	queue       string // it was delivered from
	exchange    string
	key         string
	routed      []string // the queues it was published to
	redelivered bool
	headers     amqp.Table
	messageID   string
	correlation string
	node        string
	client      net.TCPAddr
}

// readRecord validates everything: anyone with access to a tap's queue may write anything
// to it.
func readRecord(d *amqp.Delivery) (r record, ok bool) {
	if d.Exchange != traceExchange {
		return record{}, false
	}
	switch {
	case strings.HasPrefix(d.RoutingKey, "publish."):
	case strings.HasPrefix(d.RoutingKey, "deliver."):
		r.delivered = true
		r.queue = strings.TrimPrefix(d.RoutingKey, "deliver.")
	default:
		return record{}, false
	}
	props, ok := d.Headers["properties"].(amqp.Table)
	if !ok {
		return record{}, false
	}
	r.exchange, _ = d.Headers["exchange_name"].(string)
	if keys := texts(d.Headers["routing_keys"]); len(keys) > 0 {
		r.key = keys[0]
	}
	r.routed = texts(d.Headers["routed_queues"])
	redelivered, _ := d.Headers["redelivered"].(int32)
	r.redelivered = redelivered != 0
	r.headers, _ = props["headers"].(amqp.Table)
	r.messageID, _ = props["message_id"].(string)
	r.correlation, _ = props["correlation_id"].(string)
	r.node, _ = d.Headers["node"].(string)
	r.client = clientAddress(d.Headers["connection"])
	return r, true
}

// unroutable reports whether there was no queue for a message. For the default exchange,
// RabbitMQ 3 reports every key as routed, whether or not there is a queue.
func (r *record) unroutable() bool {
	return !r.delivered && len(r.routed) == 0 && (r.exchange != "" || !strings.HasPrefix(r.key, replyPrefix))
}

func texts(v any) []string {
	list, _ := v.([]any)
	all := make([]string, 0, len(list))
	for _, item := range list {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// clientAddress reads a connection's name, "127.0.0.1:45352 -> 127.0.0.1:5672".
func clientAddress(connection any) net.TCPAddr {
	name, _ := connection.(string)
	peer, _, _ := strings.Cut(name, " -> ")
	host, port, err := net.SplitHostPort(peer)
	if err != nil {
		return net.TCPAddr{}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	ip := net.ParseIP(host)
	if err != nil || ip == nil {
		return net.TCPAddr{}
	}
	return net.TCPAddr{IP: ip, Port: int(n)}
}
