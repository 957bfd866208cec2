//go:build !byhand

package main

import amqp "github.com/rabbitmq/amqp091-go"

func traced(ch *amqp.Channel) (publisher, processor) { return ch.PublishWithContext, ack }
