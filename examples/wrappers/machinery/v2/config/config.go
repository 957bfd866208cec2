// Package config stands for github.com/RichardKnop/machinery/v2/config: the part of it that
// the adapter uses, with the same fields.
package config

// Config says where tasks go.
type Config struct {
	DefaultQueue string
	AMQP         *AMQPConfig
}

// AMQPConfig is the part for RabbitMQ.
type AMQPConfig struct{ Exchange string }
