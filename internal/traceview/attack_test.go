package traceview_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// A page that gets 304 would never show that the trace that it links to has arrived.
func TestLinkTargetComesLater(t *testing.T) {
	kept := traceview.NewStore(traceview.Limits{})
	h := traceview.NewHandler(kept)
	kept.Add(sample.Linked(sample.SpanOf(1, 1), spans.Link{TraceID: sample.TraceID(2), SpanID: sample.SpanID(1)}))

	path := "/api/traces/" + sample.TraceID(1).String() + "/waterfall"
	tag := get(h, path).Header().Get("ETag")

	if w := get(h, path, "If-None-Match", tag); w.Code != http.StatusNotModified {
		t.Errorf("unchanged: %d", w.Code)
	}

	kept.Add(sample.SpanOf(2, 1))

	if w := get(h, path, "If-None-Match", tag); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"here":true`) {
		t.Errorf("the target has come: %d %s", w.Code, w.Body)
	}
}

// Clients that do not read their answers do not keep others from the page.
func TestClientsThatDoNotRead(t *testing.T) {
	kept := traceview.NewStore(traceview.Limits{})
	for i := range uint64(20_000) {
		kept.Add(sample.With(sample.SpanOf(1, i+1), "k", strings.Repeat("x", 500)))
	}

	settle(t)

	srv := listen(t, kept)

	for i := range 24 {
		c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()

		_, _ = fmt.Fprintf(c, "GET /api/traces/%s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", sample.TraceID(1), []string{"", "/waterfall"}[i%2])
		_, _ = bufio.NewReaderSize(c, 16).ReadByte()
	}

	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()

	for _, path := range []string{"/api/traces", "/"} {
		answer, err := client.Get(srv.URL() + path)
		if err != nil {
			t.Fatalf("clients that do not read keep the page from all others: %v", err)
		}

		_ = answer.Body.Close()
	}
}

// settle lets the test end only after the server's goroutines: a write to a connection that
// is gone ends half a second later.
func settle(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		for range 20 {
			if goleak.Find() == nil {
				return
			}
		}
	})
}
