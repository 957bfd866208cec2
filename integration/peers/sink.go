package main

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// sinkConn is a connection whose frames go nowhere once it is open.
type sinkConn struct {
	net.Conn

	open atomic.Bool
}

func (c *sinkConn) Write(p []byte) (int, error) {
	if c.open.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// sink is a channel of amqp091-go that does all that it does, up to the socket. One is
// enough for a process.
var sink = sync.OnceValue(func() *amqp.Channel {
	b, err := amqpbroker.Start(amqpbroker.WithHeartbeat(0))
	if err != nil {
		panic(err) // no listening on loopback: nothing can be measured
	}
	var c sinkConn
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{
		Heartbeat: time.Hour,
		Dial: func(network, addr string) (net.Conn, error) {
			c.Conn, err = net.Dial(network, addr)
			return &c, err
		},
	})
	if err != nil {
		panic(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		panic(err)
	}
	c.open.Store(true)
	return ch
})
