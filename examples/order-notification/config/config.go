// Package config reads the servers and addresses from the environment. The OTEL_* variables
// are read by package telemetry.
package config

import (
	"fmt"
	"os"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
)

// Config is the configuration read from the environment. An empty field was not set.
type Config struct {
	// AMQPURL (MQTRACE_AMQP_URL) is the broker.
	AMQPURL string
	// Redis (MQTRACE_REDIS_ADDR) is host:port or a redis:// URL.
	Redis asynq.RedisClientOpt
	// HTTPAddr (HTTP_ADDR) is the address to listen on.
	HTTPAddr string
	// PaymentURL (PAYMENT_URL) is the base URL of a payment service. Without it the order
	// service's process runs the stand-in too.
	PaymentURL string
	// ViewAddr (VIEW_ADDR) is the address of the page with the traces.
	ViewAddr string
	// Prefix (NAME_PREFIX) is put before the names of exchanges and queues.
	Prefix string
	// EmailRetryDelay (EMAIL_RETRY_DELAY) is the delay before an email is retried.
	EmailRetryDelay time.Duration
}

// FromEnvironment reads the variables.
func FromEnvironment() (Config, error) {
	cfg := Config{
		AMQPURL:    os.Getenv("MQTRACE_AMQP_URL"),
		HTTPAddr:   os.Getenv("HTTP_ADDR"),
		PaymentURL: os.Getenv("PAYMENT_URL"),
		ViewAddr:   os.Getenv("VIEW_ADDR"),
		Prefix:     os.Getenv("NAME_PREFIX"),
	}
	if delay := os.Getenv("EMAIL_RETRY_DELAY"); delay != "" {
		var err error
		if cfg.EmailRetryDelay, err = time.ParseDuration(delay); err != nil || cfg.EmailRetryDelay < 0 {
			return Config{}, fmt.Errorf("EMAIL_RETRY_DELAY=%s is not a duration such as 1s", delay)
		}
	}
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		var err error
		if cfg.Redis, err = tasks.ParseRedis(addr); err != nil {
			return Config{}, err //nolint:wrapcheck // It names the variable.
		}
	}
	return cfg, nil
}

// The ports of the demo's own broker and Redis.
const (
	AMQPPort  = "5679"
	RedisPort = "6389"
)

// WithDefaults fills in the addresses of -serve's broker and Redis. Another RabbitMQ or
// Redis is used only if it is named.
func (c Config) WithDefaults() (Config, error) {
	if c.AMQPURL == "" {
		c.AMQPURL = "amqp://guest:guest@127.0.0.1:" + AMQPPort + "/"
	}
	if c.Redis.Addr == "" {
		var err error
		if c.Redis, err = tasks.ParseRedis("127.0.0.1:" + RedisPort); err != nil {
			return Config{}, err //nolint:wrapcheck // It cannot happen.
		}
	}
	return c, nil
}
