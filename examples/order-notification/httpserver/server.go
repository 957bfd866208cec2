// Package httpserver provides what the HTTP servers of the example have in common: tracing
// by route, the x-trace-id header, recovery from panics, JSON errors, /healthz, and an
// orderly stop.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = time.Minute
	// stopTimeout is how long requests in progress may take once the service is stopping.
	stopTimeout = 5 * time.Second
)

// Server is a listening HTTP server. It answers once [Server.Run] is called.
type Server struct {
	listener net.Listener
	server   *http.Server
}

// Listen binds the address at once, so that a port in use is reported at startup and not by
// a goroutine later on.
func Listen(ctx context.Context, addr string, handler http.Handler) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start the HTTP server at HTTP_ADDR: %w", err)
	}
	return &Server{
		listener: listener,
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
		},
	}, nil
}

// URL returns the server's base URL as seen from this machine.
func (s *Server) URL() string { return BaseURL(s.listener.Addr().String()) }

// BaseURL turns a listen address such as ":8080" into a URL to reach it.
func BaseURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Run serves until ctx is done, then lets the requests in progress finish.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.server.Shutdown(stopCtx)
	if err != nil {
		err = errors.Join(fmt.Errorf("stop the HTTP server: %w", err), s.server.Close())
	}
	if cause := <-failed; !errors.Is(cause, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve HTTP: %w", cause))
	}
	return err
}

// Close releases the address if Run was never called.
func (s *Server) Close() error {
	return s.listener.Close() //nolint:wrapcheck // Nothing to add to "close tcp 127.0.0.1:8080".
}
