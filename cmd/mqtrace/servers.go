package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/urfave/cli/v3"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/certfiles"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/management"
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
func dialAMQP(ctx context.Context, c *cli.Command) (*amqp.Connection, error) {
	rawURL := c.String("amqp")
	uri, err := amqp.ParseURI(rawURL)
	if err != nil || needsEscaping(rawURL) {
		// The parser's error quotes the URL, password included.
		return nil, fmt.Errorf("-amqp is not a valid amqp:// URL%s, %w", escapingHint(rawURL), errUsage)
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName("mqtrace " + c.Name)
	connected := func() bool { return true }
	conn, err := amqp.DialConfig(rawURL, amqp.Config{Properties: properties, Dial: func(network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		connected = context.AfterFunc(ctx, func() { _ = conn.Close() }) // an interrupt also ends the handshake
		return conn, conn.SetDeadline(time.Now().Add(dialTimeout))      // of the handshake, after which amqp091-go clears it
	}})
	if interrupted := !connected(); interrupted || err != nil && ctx.Err() != nil {
		return nil, errInterrupted
	}
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ at %s (set by %s): %w",
			net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port)), setBy(c, "amqp"), err)
	}
	return conn, nil
}

// setBy returns the flag and the environment variable that set a value.
func setBy(c *cli.Command, flag string) string {
	for _, f := range c.Flags {
		if text, ok := f.(cli.DocGenerationFlag); ok && slices.Contains(f.Names(), flag) {
			return strings.Join(append([]string{"-" + flag}, text.GetEnvVars()...), " or ")
		}
	}
	return "-" + flag
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

// managementClient reads managementFlag. If it has no user, it gets the one of -amqp.
func managementClient(c *cli.Command, uri amqp.URI) (management.Client, error) {
	u, transport, err := weburl.Open(c.String("management"))
	switch {
	case errors.Is(err, weburl.ErrNotURL):
		return management.Client{}, fmt.Errorf("-management is not a valid http:// URL%s, %w", escapingHint(c.String("management")), errUsage)
	case err != nil:
		return management.Client{}, fmt.Errorf("-management: %w", err)
	}
	if u.User == nil {
		u.User = url.UserPassword(uri.Username, uri.Password)
	}
	return management.Client{URL: u, Transport: transport}, nil
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
	address, certificates := c.String("redis"), certfiles.Files{}
	if u, err := url.Parse(address); err == nil && u.Scheme == "rediss" {
		certificates = certfiles.Cut(u)
		address = u.String()
	}
	opt, err := asynqredis.Parse(address)
	if err == nil && needsEscaping(c.String("redis")) {
		err = asynqredis.ErrAddress
	}
	if err != nil {
		return asynq.RedisClientOpt{}, fmt.Errorf(
			"-redis is neither host:port nor a valid redis:// URL%s, %w", escapingHint(c.String("redis")), errUsage)
	}
	if opt.TLSConfig != nil {
		if err := certificates.Apply(opt.TLSConfig); err != nil {
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
	if err := pingRedis(ctx, client); err != nil {
		_ = client.Close()
		if ctx.Err() != nil {
			return nil, errInterrupted
		}
		return nil, fmt.Errorf("connect to Redis at %s (set by %s): %w", opt.Addr, setBy(c, "redis"), err)
	}
	return client, nil
}

// pingRedis returns when ctx ends, even while go-redis waits for a server that is silent.
func pingRedis(ctx context.Context, client *redis.Client) error {
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	answer := make(chan error, 1)
	go func() {
		defer cancel()
		answer <- client.Ping(limited).Err()
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
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
