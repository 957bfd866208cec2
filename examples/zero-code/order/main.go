// Command order takes orders over HTTP and publishes them to RabbitMQ. It does not use
// OpenTelemetry.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// shop publishes through an interface, as a program that is tested with a fake does.
type shop struct {
	channel interface {
		Publish(exchange, key string, mandatory, immediate bool, msg amqp.Publishing) error
	}
}

// prefix is the prefix of all names, so that several instances can share the servers.
var prefix = os.Getenv("PREFIX")

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	conn, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.ExchangeDeclare(prefix+"orders", amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
		return err
	}
	http.HandleFunc("POST /orders", shop{ch}.place)
	server := http.Server{Addr: os.Getenv("HTTP_ADDR"), ReadHeaderTimeout: time.Second}
	return server.ListenAndServe()
}

// place has no context to pass on: the channel's method takes none.
func (s shop) place(w http.ResponseWriter, r *http.Request) {
	var order struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	}
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
