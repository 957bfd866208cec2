// Package management is a client of RabbitMQ's HTTP API, from the plugin
// rabbitmq_management.
package management

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrNotFound means that the API has no such object.
var ErrNotFound = errors.New("not found in the management API")

// ErrUnauthorized means that the API denies the user access.
var ErrUnauthorized = errors.New("the management API denies the user access")

// Client is a user of the API.
type Client struct {
	// URL is where the API is, with the user and the password.
	URL *url.URL
	// Transport is by default [http.DefaultTransport].
	Transport http.RoundTripper
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// QueueType returns the type of a queue: classic, quorum, stream or one of a plugin. It
// requires the tag management and access to the virtual host.
func (c Client) QueueType(ctx context.Context, vhost, queue string) (string, error) {
	answer, err := c.Do(ctx, http.MethodGet, nil, "queues", vhost, queue)
	if err != nil {
		return "", err
	}
	var is struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(answer, &is); err != nil || is.Type == "" {
		return "", errors.New("the management API does not report the queue's type")
	}
	return is.Type, nil
}

// Do makes a request and returns the answer. The path begins after /api.
func (c Client) Do(ctx context.Context, method string, body []byte, path ...string) ([]byte, error) {
	target := *c.URL
	target.User = nil // so that no error shows it
	target = *target.JoinPath("api")
	target.RawPath = target.EscapedPath()
	for _, segment := range path {
		target.RawPath += "/" + url.PathEscape(segment)
		target.Path += "/" + segment
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	password, _ := c.URL.User.Password()
	request.SetBasicAuth(c.URL.User.Username(), password)
	request.Header.Set("Content-Type", "application/json")
	// Redirects could send the password to another server.
	client := &http.Client{Transport: c.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case response.StatusCode == http.StatusNotFound:
		return nil, ErrNotFound
	case response.StatusCode == http.StatusUnauthorized:
		return nil, ErrUnauthorized
	case response.StatusCode >= http.StatusMultipleChoices:
		return nil, fmt.Errorf("the management API answers %s", response.Status)
	}
	return answer, err
}
