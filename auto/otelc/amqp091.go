//go:build ignore

// This file is added to github.com/rabbitmq/amqp091-go by otelc.

package amqp091

import (
	"context"
	"sync/atomic"
	_ "unsafe" // for go:linkname
)

//go:linkname __mqtrace_fields github.com/mqtrace/mqtrace/auto.channelFields
func __mqtrace_fields(of func(*Channel) *atomic.Value, connection func(*Channel) *Connection)

func init() {
	__mqtrace_fields(
		func(ch *Channel) *atomic.Value { return &ch.__mqtrace },
		func(ch *Channel) *Connection { return ch.connection },
	)
}

//go:linkname __mqtrace_publish github.com/mqtrace/mqtrace/auto.channelPublish
func __mqtrace_publish(ctx context.Context, field *atomic.Value, ch *Channel, exchange, key string, mandatory, immediate bool, msg Publishing) (*DeferredConfirmation, error, bool)

//go:linkname __mqtrace_consume github.com/mqtrace/mqtrace/auto.channelConsume
func __mqtrace_consume(ctx context.Context, field *atomic.Value, ch *Channel, gone <-chan struct{}, queue, consumer string, autoAck, exclusive, noLocal, noWait bool, args Table) (<-chan Delivery, error, bool)

//go:linkname __mqtrace_get github.com/mqtrace/mqtrace/auto.channelGet
func __mqtrace_get(field *atomic.Value, ch *Channel, queue string, autoAck bool) (Delivery, bool, error, bool)

//go:linkname __mqtrace_settle github.com/mqtrace/mqtrace/auto.channelSettle
func __mqtrace_settle(field *atomic.Value, method byte, tag uint64, multiple, requeue bool) (error, bool)

//go:linkname __mqtrace_closed github.com/mqtrace/mqtrace/auto.channelClosed
func __mqtrace_closed(field *atomic.Value)
