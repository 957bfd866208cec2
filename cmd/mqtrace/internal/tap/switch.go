package tap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/management"
)

// Switch turns the firehose of a virtual host on and off.
type Switch interface {
	Set(ctx context.Context, on bool) error
}

// NotAsked reports whether a [Switch] failed before it asked RabbitMQ to change anything.
func NotAsked(err error) bool {
	var notAsked notAskedError
	return errors.As(err, &notAsked) || errors.Is(err, exec.ErrNotFound)
}

type notAskedError struct{ error }

func (e notAskedError) Unwrap() error { return e.error }

// Control is rabbitmqctl, which must control the node that is tapped.
type Control struct {
	// Command is the program and the first of its arguments.
	Command []string
	VHost   string
}

// Set runs rabbitmqctl trace_on or trace_off.
func (c Control) Set(ctx context.Context, on bool) error {
	verb := "trace_off"
	if on {
		verb = "trace_on"
	}
	args := slices.Concat(c.Command[1:], []string{"-q", verb, "-p", c.VHost})
	cmd := exec.CommandContext(ctx, c.Command[0], args...) //nolint:gosec // the user's own command
	cmd.WaitDelay = time.Second                            // Debian's is a script: what it has started may keep the output open.
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s -p %s: %w %s", c.Command[0], verb, c.VHost, err, firstLine(out))
	}
	return nil
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}

// Management is RabbitMQ's HTTP API, of the plugin rabbitmq_management. The user must
// be an administrator.
type Management struct {
	API   management.Client
	VHost string
}

// Set writes the virtual host with tracing on or off. It is read first, because properties
// missing from the write would be reset, and a missing virtual host would be created.
func (m Management) Set(ctx context.Context, on bool) error {
	answer, err := m.do(ctx, http.MethodGet, nil)
	if err != nil {
		return notAskedError{err}
	}
	var vhost struct {
		Description      string   `json:"description"`
		Tags             []string `json:"tags"`
		DefaultQueueType string   `json:"default_queue_type"`
	}
	if err := json.Unmarshal(answer, &vhost); err != nil {
		return notAskedError{fmt.Errorf("read the virtual host from the management API: %w", err)}
	}
	settings := map[string]any{
		"tracing": on, "description": vhost.Description, "tags": strings.Join(vhost.Tags, ","),
	}
	if t := vhost.DefaultQueueType; t != "" && t != "undefined" {
		settings["default_queue_type"] = t
	}
	body, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	_, err = m.do(ctx, http.MethodPut, body)
	return err
}

func (m Management) do(ctx context.Context, method string, body []byte) ([]byte, error) {
	answer, err := m.API.Do(ctx, method, body, "vhosts", m.VHost)
	switch {
	case errors.Is(err, management.ErrNotFound):
		return nil, fmt.Errorf("the management API has no virtual host %q", m.VHost)
	case errors.Is(err, management.ErrUnauthorized):
		return nil, fmt.Errorf("%w: only an administrator can control the firehose", err)
	}
	return answer, err
}
