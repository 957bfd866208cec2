// Command order takes orders over HTTP and publishes them to RabbitMQ. There is nothing of
// OpenTelemetry in it.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

// shop publishes by way of an interface, as a program does that is tested with a fake.
type shop struct {
	channel interface {
		Publish(exchange, key string, mandatory, immediate bool, msg amqp.Publishing) error
	}
}

// prefix is of all names, so that several can share the servers.
var prefix = os.Getenv("PREFIX")

func main() {
	conn, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	if err := ch.ExchangeDeclare(prefix+"orders", amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /orders", shop{ch}.place)
	log.Println("orders at", os.Getenv("HTTP_ADDR"))
	log.Fatal(http.ListenAndServe(os.Getenv("HTTP_ADDR"), nil))
}

// place has no context to pass on: the channel's method takes none.
func (s shop) place(w http.ResponseWriter, r *http.Request) {
	var order struct{ ID, Email string }
	if err := json.NewDecoder(r.Body).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := json.Marshal(order)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := s.channel.Publish(prefix+"orders", "order.created", false, false, amqp.Publishing{MessageId: order.ID, Body: body}); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
