package asynqtrace

import (
	"net"
	"strconv"
	"strings"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/attribute"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// server is the address of a Redis server, as far as it is known.
type server struct {
	address string
	port    int
}

func (s server) attributes() []attribute.KeyValue {
	var known []attribute.KeyValue
	if s.address != "" {
		known = append(known, messaging.ServerAddress(s.address))
		if s.port > 0 {
			known = append(known, messaging.ServerPort(s.port))
		}
	}
	return known
}

// WithServer sets the address of the Redis server (server.address), a host name or an IP
// address, and its port (server.port); a port of 0 is left out, and so are both if the
// address is empty. It is needed because an asynq.Client does not expose its connection. By
// default, spans and metrics have neither.
func WithServer(address string, port int) Option {
	return optionFunc(func(c *config) { c.server = server{address, port} })
}

// WithRedis is [WithServer] with the address, and nothing else, from asynq's own options:
//
//	client := asynqtrace.NewClient(asynq.NewClient(redis), asynqtrace.WithRedis(redis))
//
// For a Unix domain socket it is the path, without a port, and for a cluster the address if
// just one is given. The option does nothing with Sentinel, with several addresses of a
// cluster, and with options that are not of asynq's types.
func WithRedis(redis asynq.RedisConnOpt) Option {
	return optionFunc(func(c *config) {
		if s := serverOf(redis); s.address != "" {
			c.server = s
		}
	})
}

// defaultAddr is what go-redis uses for an empty address.
const defaultAddr = "localhost:6379"

func serverOf(redis asynq.RedisConnOpt) server {
	switch o := redis.(type) {
	case asynq.RedisClientOpt:
		return single(o)
	case *asynq.RedisClientOpt:
		if o != nil {
			return single(*o)
		}
	case asynq.RedisClusterClientOpt:
		return seed(o.Addrs)
	case *asynq.RedisClusterClientOpt:
		if o != nil {
			return seed(o.Addrs)
		}
	}
	return server{}
}

func single(o asynq.RedisClientOpt) server {
	switch {
	case o.Network == "unix":
		return server{address: o.Addr}
	case o.Addr == "":
		return hostPort(defaultAddr)
	default:
		return hostPort(o.Addr)
	}
}

func seed(addrs []string) server {
	if len(addrs) != 1 {
		return server{}
	}
	return hostPort(addrs[0])
}

// hostPort splits an address of the form host:port. For anything else, which may be a URL
// with a password, it returns no server.
func hostPort(addr string) server {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || strings.ContainsAny(host, "@/") {
		return server{}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return server{}
	}
	return server{host, int(n)}
}
