// Package integration tests the whole: the services of examples/order-notification, from
// the HTTP request to the last worker.
//
// Each flow runs on in-process servers, so that the tests pass with nothing installed. With
// MQTRACE_AMQP_URL and MQTRACE_REDIS_ADDR set the same code runs on those servers too, and
// fails if they do not answer.
package integration
