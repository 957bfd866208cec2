// Command email sends the emails that are queued in asynq. It does not use OpenTelemetry.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/hibiken/asynq"
)

// prefix is the prefix of all names, so that several instances can share the servers.
var prefix = os.Getenv("PREFIX")

func main() {
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: os.Getenv("REDIS_ADDR")}, asynq.Config{
		Concurrency: 4,
		Queues:      map[string]int{prefix + "emails": 1},
		LogLevel:    asynq.ErrorLevel,
	})
	mux := asynq.NewServeMux()
	mux.HandleFunc("email:confirmation", send)
	log.Println("waiting for emails")
	if err := server.Run(mux); err != nil {
		log.Fatal(err)
	}
}

func send(_ context.Context, task *asynq.Task) error {
	var order struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	}
	if err := json.Unmarshal(task.Payload(), &order); err != nil {
		return errors.Join(err, asynq.SkipRetry)
	}
	fmt.Printf("To: %s\nYour order %s is on its way.\n", order.Email, order.ID)
	return nil
}
