//go:build ignore

// This file is added to github.com/mqtrace/mqtrace/amqptrace by otelc.

package amqptrace

import (
	_ "unsafe" // for go:linkname

	amqp "github.com/rabbitmq/amqp091-go"
)

//go:linkname __mqtrace_by_hand github.com/mqtrace/mqtrace/auto.byHand
func __mqtrace_by_hand() func()

//go:linkname __mqtrace_started github.com/mqtrace/mqtrace/auto.publishStarted
func __mqtrace_started(sent *Sent, msg *amqp.Publishing)

//go:linkname __mqtrace_ended github.com/mqtrace/mqtrace/auto.publishEnded
func __mqtrace_ended(sent *Sent)

//go:linkname __mqtrace_inspected github.com/mqtrace/mqtrace/auto.deliveryInspected
func __mqtrace_inspected(d *amqp.Delivery)

//go:linkname __mqtrace_consumer_made github.com/mqtrace/mqtrace/auto.consumerMade
func __mqtrace_consumer_made(queue string)
