package httpserver

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const checkTimeout = 2 * time.Second

// CheckHealth checks the health of the server at a listen address. It is the health check
// of a container image that has no shell and no curl.
func CheckHealth(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, BaseURL(addr)+HealthPath, http.NoBody)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("check health: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("check health: %s answers %s", addr, response.Status)
	}
	return nil
}
