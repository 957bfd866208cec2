// Package stack holds tests of the production stack: the Collector of
// deploy/collector, Jaeger and Prometheus as real programs, RabbitMQ and Redis, and the
// services of examples/order-notification as a process each.
//
// They need the programs that build.sh makes, a RabbitMQ and a Redis where
// MQTRACE_AMQP_URL and MQTRACE_REDIS_ADDR say, by default on this machine, and fail
// without them:
//
//	integration/stack/build.sh
//	go test -tags stack -v ./integration/stack
//
// Where integration/servers.sh has built its servers, its Prometheus scrapes too.
package stack
