// Package livequeue gets the depth and consumers of queues from brokers.
package livequeue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/weburl"
)

// State is a queue's state as the broker reports it.
type State struct {
	// Depth counts the messages in the queue, including those being processed.
	Depth int `json:"depth"`
	// Consumers counts the queue's consumers or, for asynq, the servers that process it.
	Consumers int `json:"consumers"`
}

// maxAnswer is the largest answer of the management API that is read.
const maxAnswer = 64 << 20

// Management queries RabbitMQ's management API, whose address may contain user and
// password. Errors contain neither.
func Management(ctx context.Context, address string) (map[string]State, error) {
	u, transport, err := weburl.Open(address)
	if err != nil {
		return nil, err
	}
	at := *u
	at.User = nil
	u.Path, u.RawQuery = strings.TrimSuffix(u.Path, "/")+"/api/queues", "columns=name,messages,consumers"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, errors.New("not an http:// URL")
	}
	client := &http.Client{Transport: transport}
	response, err := client.Do(request)
	var quoting *url.Error
	if errors.As(err, &quoting) {
		err = quoting.Err
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", at.String(), err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", at.String(), response.Status)
	}
	var list []struct {
		Name      string `json:"name"`
		Messages  int    `json:"messages"`
		Consumers int    `json:"consumers"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&list); err != nil {
		return nil, fmt.Errorf("%s has no list of queues: %w", at.String(), err)
	}
	states := make(map[string]State, len(list))
	for _, q := range list {
		s := states[q.Name] // of several virtual hosts
		states[q.Name] = State{s.Depth + q.Messages, s.Consumers + q.Consumers}
	}
	return states, nil
}

// Asynq queries Redis with asynq's Inspector. unknown has the queues whose state Redis does
// not return, for instance because a key has another type, with the reason.
func Asynq(ctx context.Context, client redis.UniversalClient) (states map[string]State, unknown map[string]error, err error) {
	inspector := asynq.NewInspectorFromRedisClient(client)
	names, err := inspector.Queues()
	if err != nil {
		return nil, nil, err
	}
	servers, err := inspector.Servers()
	if err != nil {
		return nil, nil, err
	}
	states, unknown = make(map[string]State, len(names)), make(map[string]error)
	for _, name := range names {
		info, err := inspector.GetQueueInfo(name)
		if err != nil {
			if down := client.Ping(ctx).Err(); down != nil {
				return nil, nil, down
			}
			unknown[name] = err
			continue
		}
		s := State{Depth: info.Pending + info.Active + info.Scheduled + info.Retry + info.Aggregating}
		for _, server := range servers {
			if _, ok := server.Queues[name]; ok {
				s.Consumers++
			}
		}
		states[name] = s
	}
	return states, unknown, nil
}
