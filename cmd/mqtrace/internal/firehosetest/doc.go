// Package firehosetest gives tests a broker whose firehose they can turn on: the in-process
// one, and a separate virtual host on the RabbitMQ that MQTRACE_AMQP_URL names. The
// firehose is turned on for a whole virtual host and slows it down, so virtual hosts in use
// are not touched.
//
// RabbitMQ's is turned on with rabbitmqctl, which must be installed and reach the node of
// the URL. MQTRACE_RABBITMQCTL may name another command that does, arguments included.
package firehosetest
