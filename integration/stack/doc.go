// Package stack tests the production stack: the Collector of deploy/collector, Jaeger and
// Prometheus as real programs, RabbitMQ and Redis, and each service of
// examples/order-notification as a process.
//
// The tests need the programs that build.sh builds, a RabbitMQ and a Redis at
// MQTRACE_AMQP_URL and MQTRACE_REDIS_ADDR, by default on this machine, and fail without
// them:
//
//	integration/stack/build.sh
//	go test -tags stack -v ./integration/stack
//
// If integration/servers.sh has built its servers, the tests scrape with its Prometheus
// too.
package stack
