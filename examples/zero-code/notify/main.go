// Command notify turns the orders in RabbitMQ into emails to be sent, as asynq tasks. It
// does not use OpenTelemetry.
package main

import (
	"log"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/hibiken/asynq"
	amqp "github.com/rabbitmq/amqp091-go"
)

const workers = 4

// prefix is the prefix of all names, so that several instances can share the servers.
var prefix = os.Getenv("PREFIX")

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: os.Getenv("REDIS_ADDR")})
	defer client.Close()
	conn, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		return err
	}
	defer conn.Close()
	deliveries, err := subscribe(conn)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for d := range deliveries {
				if err := handle(client, d); err != nil {
					log.Println("order", d.MessageId, err)
					_ = d.Nack(false, false)
					continue
				}
				_ = d.Ack(false)
			}
		})
	}
	log.Println("waiting for orders")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	<-stop
	err = conn.Close()
	group.Wait()
	return err
}

func subscribe(conn *amqp.Connection) (<-chan amqp.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	if err := ch.ExchangeDeclare(prefix+"orders", amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return nil, err
	}
	queue, err := ch.QueueDeclare(prefix+"notifications", true, false, false, false, nil)
	if err != nil {
		return nil, err
	}
	if err := ch.QueueBind(queue.Name, "order.*", prefix+"orders", false, nil); err != nil {
		return nil, err
	}
	if err := ch.Qos(2*workers, 0, false); err != nil {
		return nil, err
	}
	return ch.Consume(queue.Name, "", false, false, false, false, nil)
}

// handle has no context: a delivery does not carry one, and Enqueue does not take one.
func handle(client *asynq.Client, d amqp.Delivery) error {
	_, err := client.Enqueue(asynq.NewTask("email:confirmation", d.Body), asynq.Queue(prefix+"emails"))
	return err
}
