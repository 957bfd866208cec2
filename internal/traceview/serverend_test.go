package traceview_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
)

func TestShutdownWaitsForRequests(t *testing.T) {
	store := traceview.NewStore(traceview.Limits{})
	srv := listen(t, store)
	body := sample.Marshal(t, sample.Request(sample.WireSpan(sample.ID, 1)))

	addr, err := netip.ParseAddrPort(strings.TrimPrefix(srv.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}

	conn, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		traceview.TracesPath, protobufType, len(body))

	// The server asks for the body: the request is being served.
	if n, err := conn.Read(make([]byte, 100)); n == 0 || err != nil {
		t.Fatal(err)
	}

	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()

	if err := srv.Shutdown(short); err == nil {
		t.Error("it did not wait for the request")
	}

	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}

	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}

	if store.Stats().Spans != 1 {
		t.Error("the request was lost")
	}
}

// A client that sends nothing, or sends slowly, costs a connection and no more.
func TestIdleConnectionsDoNotStopOthers(t *testing.T) {
	settle(t)

	store := traceview.NewStore(traceview.Limits{})
	srv := listen(t, store)
	addr := strings.TrimPrefix(srv.URL(), "http://")

	for n := range 200 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		if n%2 == 0 {
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 20000000\r\n\r\n\x0a",
				traceview.TracesPath, protobufType)
		}
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+traceview.TracesPath,
		bytes.NewReader(sample.Marshal(t, sample.Request(sample.WireSpan(sample.ID, 1)))))
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Content-Type", protobufType)

	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	if res.StatusCode != http.StatusOK || store.Stats().Spans != 1 {
		t.Errorf("got %d", res.StatusCode)
	}
}
