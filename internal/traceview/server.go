package traceview

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Server is an HTTP server around [NewHandler].
type Server struct {
	http *http.Server
	addr net.Addr
	done chan struct{} // closed when Serve has returned
}

// No OTLP client needs longer, and no other client should hold a connection.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// ErrNotLoopback is returned by [Listen] for an address that other machines can reach.
var ErrNotLoopback = errors.New("traceview: not a loopback address")

// ListenOption changes what [Listen] does.
type ListenOption func(*listenConfig)

type listenConfig struct{ allowNonLoopback bool }

// AllowNonLoopback lets the server listen where other machines can reach it. They can then
// read and send traces: there is no login. By default, it refuses to.
func AllowNonLoopback() ListenOption {
	return func(c *listenConfig) { c.allowNonLoopback = true }
}

// Listen starts a server on addr, "host:port". Without a host it listens on 127.0.0.1 or,
// with [AllowNonLoopback], on every interface; port 0 selects a free port.
//
// It answers only requests for a loopback name or address, for the host in addr and, if
// other machines can reach it, for any IP address, so that a web page cannot reach it
// through DNS rebinding.
//
// The caller ends it with [Server.Close] or [Server.Shutdown].
func Listen(addr string, store *Store, opts ...ListenOption) (*Server, error) {
	var cfg listenConfig
	for _, opt := range opts {
		opt(&cfg)
	}

	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("traceview: address %q: %w", addr, err)
	}

	if host == "" && !cfg.allowNonLoopback {
		host = "127.0.0.1"
	}

	tcp, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("traceview: %w", err)
	}

	if tcp.IP == nil {
		tcp.IP = net.IPv6unspecified // every interface, IPv4 and IPv6
	}

	if !tcp.IP.IsLoopback() && !cfg.allowNonLoopback {
		return nil, fmt.Errorf("%w: %s", ErrNotLoopback, addr)
	}

	listener, err := net.ListenTCP("tcp", tcp)
	if err != nil {
		return nil, fmt.Errorf("traceview: %w", err)
	}

	s := &Server{
		http: &http.Server{
			Handler:           newGuard(store, allowedHosts(host, tcp.AddrPort().Addr().Unmap())),
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    maxHeaderBytes,
		},
		addr: listener.Addr(),
		done: make(chan struct{}),
	}

	go func() {
		defer close(s.done)

		_ = s.http.Serve(listener) // It returns when the server is closed.
	}()

	return s, nil
}

// URL returns the URL of the server, for instance "http://127.0.0.1:4318". OTLP/HTTP
// exporters accept it as their endpoint. If the server listens on all interfaces, its host
// is 127.0.0.1.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.addr.String())
	if ip, errIP := netip.ParseAddr(host); err == nil && errIP == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}

	return "http://" + net.JoinHostPort(host, port)
}

// Close stops the server and the requests it is serving.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done

	return wrapClose(err)
}

// Shutdown stops the server once the requests it is serving are done. If ctx ends first, it
// returns an error, and the caller must still call Close.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	<-s.done

	return wrapClose(err)
}

func wrapClose(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}

	return fmt.Errorf("traceview: close the server: %w", err)
}
