package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/page"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// A large trace that a view has accepted can be read back in every way: by its id, saved,
// opened in another view, and as a file. With the race detector it is an eighth of the
// size, because it would take a minute and a half.
func TestLargeTraceIsReadAgain(t *testing.T) {
	count := 12_000
	if raced {
		count /= 8
	}
	all := largeTrace(count)
	id := all[0].TraceID.String()
	view := listening(t)
	for piece := 0; piece < count; piece += 500 {
		post(t, view.URL()+traceview.TracesPath, all[piece:piece+500])
	}
	want := fmt.Sprintf("· %d spans ·", count)
	if out := ok(t, "trace", id, "-view", view.URL()); !strings.Contains(out, want) {
		t.Errorf("trace ID prints\n%.300s", out)
	}
	status, saved := getBody(t, view.URL()+traceview.TracesAPI+"/"+id)
	if status != http.StatusOK || strings.Count(saved, `"GET /things/{id}"`) != count {
		t.Fatalf("Save: status %d, %d bytes", status, len(saved))
	}
	file := writeFile(t, saved)
	if out := ok(t, "trace", file); !strings.Contains(out, want) {
		t.Errorf("trace FILE prints\n%.300s", out)
	}
	other := listening(t)
	sendBody(t, other.URL()+page.OpenAPI, strings.NewReader(saved))
	if out := ok(t, "trace", id, "-view", other.URL()); !strings.Contains(out, want) {
		t.Errorf("after Open, trace ID prints\n%.300s", out)
	}
	if out := ok(t, "trace", id, "-view", viewOf(t, file)); !strings.Contains(out, want) {
		t.Errorf("of view FILE, trace ID prints\n%.300s", out)
	}
}

// largeTrace is a trace of spans with 20 attributes each.
func largeTrace(count int) []spans.Span {
	start := time.Unix(1_700_000_000, 0)
	all := make([]spans.Span, count)
	for i := range all {
		s := &all[i]
		s.TraceID = trace.TraceID{0x7b, 0x8a}
		binary.BigEndian.PutUint64(s.SpanID[:], uint64(i+1))
		if i > 0 {
			s.ParentID = all[0].SpanID
		}
		s.Name, s.Service, s.Kind = "GET /things/{id}", "s", trace.SpanKindClient
		s.Start = start.Add(time.Duration(i) * time.Microsecond)
		s.End = s.Start.Add(time.Microsecond / 2)
		for k := range 20 {
			s.Attributes = append(s.Attributes, spans.Attribute{Key: fmt.Sprint("attr.", k), Value: fmt.Sprint("v", k)})
		}
	}
	return all
}

func listening(t *testing.T) *traceview.Server {
	t.Helper()
	view, err := traceview.Listen("127.0.0.1:0", traceview.NewStore(traceview.Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = view.Close() })
	return view
}

// viewOf returns the URL of `mqtrace view FILE`.
func viewOf(t *testing.T, file string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run(ctx, []string{"mqtrace", "view", "-addr", "127.0.0.1:0", file}, w, io.Discard)
		_ = w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	url := firstLine(t, r)
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return url
}

func post(t *testing.T, url string, some []spans.Span) {
	t.Helper()
	var b bytes.Buffer
	if err := otlp.EncodeJSON(&b, some); err != nil {
		t.Fatal(err)
	}
	sendBody(t, url, &b)
}

func sendBody(t *testing.T, url string, body io.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatal(url, res.Status)
	}
}
