// Package firehosetest gives tests a broker with a firehose to turn on: the in-process
// one, and a virtual host of the test's own on the RabbitMQ that MQTRACE_AMQP_URL
// names. The firehose is turned on for a virtual host as a whole, and slows it down:
// one that others use is not touched.
//
// RabbitMQ's is turned on with rabbitmqctl, which has to be on the machine and to
// reach the node of the URL. MQTRACE_RABBITMQCTL may name another command that does,
// arguments included.
package firehosetest
