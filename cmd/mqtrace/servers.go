package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/weburl"
)

// dialTimeout is as long as RabbitMQ's handshake timeout, and applies to Redis too.
const dialTimeout = 10 * time.Second

// amqpFlag and redisFlag are the addresses of the servers. The examples use the same
// environment variables. A URL contains a password, so none is ever printed.
func amqpFlag() cli.Flag {
	return &cli.StringFlag{ //nolint:gosec // the password is the broker's own default
		Name: "amqp", Value: "amqp://guest:guest@localhost:5672/", HideDefault: true,
		Usage: "RabbitMQ's `URL` (by default, this machine's)", Sources: cli.EnvVars("MQTRACE_AMQP_URL"),
	}
}

func redisFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "redis", Value: "localhost:6379", HideDefault: true,
		Usage:   "Redis's `ADDR`, host:port or a redis:// URL (by default, this machine's)",
		Sources: cli.EnvVars("MQTRACE_REDIS_ADDR"),
	}
}

// dialAMQP connects to the broker that amqpFlag names. The caller closes the connection.
func dialAMQP(c *cli.Command) (*amqp.Connection, error) {
	rawURL := c.String("amqp")
	uri, err := amqp.ParseURI(rawURL)
	if err != nil || needsEscaping(rawURL) {
		// The parser's error quotes the URL, password included.
		return nil, fmt.Errorf("-amqp is not a valid amqp:// URL%s, %w", escapingHint(rawURL), errUsage)
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("mqtrace " + c.Name)
	conn, err := amqp.DialConfig(rawURL, amqp.Config{Properties: properties, Dial: amqp.DefaultDial(dialTimeout)})
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ at %s (set by -amqp or MQTRACE_AMQP_URL): %w",
			net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), err)
	}
	return conn, nil
}

// maxShort is the maximum length of AMQP's short strings, in bytes.
const maxShort = 255

// checkShort checks the length of a name or a routing key.
func checkShort(what, value string) error {
	if len(value) > maxShort {
		return fmt.Errorf("%s is longer than %d bytes, %w", what, maxShort, errUsage)
	}
	return nil
}

// managementFlag is the address of RabbitMQ's management API.
func managementFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "management", Usage: "the `URL` of RabbitMQ's management API, with user and password if they are not those of -amqp",
		Sources: cli.EnvVars("MQTRACE_MANAGEMENT_URL"),
	}
}

// managementURL reads managementFlag. If it has no user, it gets the one of -amqp.
func managementURL(c *cli.Command, uri amqp.URI) (*url.URL, error) {
	u, err := weburl.Parse(c.String("management"))
	if err != nil {
		return nil, fmt.Errorf("-management is not a valid http:// URL%s, %w", escapingHint(c.String("management")), errUsage)
	}
	if u.User == nil {
		u.User = url.UserPassword(uri.Username, uri.Password)
	}
	return u, nil
}

// needsEscaping reports whether a URL has an @ after its host. A password then contains an
// unescaped /, ? or #, and the URL would be misread.
func needsEscaping(rawURL string) bool {
	_, rest, ok := strings.Cut(rawURL, "://")
	if !ok {
		return false
	}
	end := strings.IndexAny(rest, "/?#")
	return end >= 0 && strings.Contains(rest[end:], "@")
}

func escapingHint(rawURL string) string {
	if !strings.Contains(rawURL, "@") {
		return ""
	}
	return ": in a user name or a password write %2F for /, %3F for ?, %23 for #, %40 for @ and %25 for %"
}

// redisOpt reads redisFlag.
func redisOpt(c *cli.Command) (asynq.RedisClientOpt, error) {
	address, certificates := cutRedisTLS(c.String("redis"))
	opt, err := asynqredis.Parse(address)
	if err == nil && needsEscaping(c.String("redis")) {
		err = asynqredis.ErrAddress
	}
	if err != nil {
		return asynq.RedisClientOpt{}, fmt.Errorf(
			"-redis is neither host:port nor a valid redis:// URL%s, %w", escapingHint(c.String("redis")), errUsage)
	}
	if opt.TLSConfig != nil {
		if err := certificates.apply(opt.TLSConfig); err != nil {
			return asynq.RedisClientOpt{}, fmt.Errorf("-redis: %w", err)
		}
	}
	opt.DialTimeout = dialTimeout
	return opt, nil
}

// dialRedis connects to the server that redisFlag names. The caller closes the client.
func dialRedis(ctx context.Context, c *cli.Command) (redis.UniversalClient, error) {
	opt, err := redisOpt(c)
	if err != nil {
		return nil, err
	}
	opt.ReadTimeout = dialTimeout
	client := asynqredis.NewClient(opt)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("connect to Redis at %s (set by -redis or MQTRACE_REDIS_ADDR): %w", opt.Addr, err)
	}
	return client, nil
}

// prompt closes a connection without waiting for long: a broker that blocks publishers does
// not answer.
type prompt struct{ conn *amqp.Connection }

func (p prompt) Close() error { return p.conn.CloseDeadline(time.Now().Add(time.Second)) }

// closeAfter closes a connection some time after ctx has ended, for a command that returns
// messages before it stops. The returned function closes it earlier.
func closeAfter(ctx context.Context, grace time.Duration, conn io.Closer) func() {
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(grace, func() { _ = conn.Close() })
	})
	return func() {
		stop()
		_ = conn.Close()
	}
}

// closeWith closes a connection when ctx ends, which unblocks pending calls. The returned
// function closes it earlier.
func closeWith(ctx context.Context, conn io.Closer) func() {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() {
		if stop() {
			_ = conn.Close()
		}
	}
}
