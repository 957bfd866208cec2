package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// traceFile writes a file with a trace of one span, and returns its path.
func traceFile(t *testing.T, id byte) string {
	t.Helper()
	var b bytes.Buffer
	span := spans.Span{TraceID: trace.TraceID{id}, SpanID: trace.SpanID{id}, Name: fmt.Sprint("span ", id)}
	if err := otlp.EncodeJSON(&b, []spans.Span{span}); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, b.String())
}

func writeFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trace.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func getBody(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestViewServesThePageAndFiles(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var stderr strings.Builder
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"mqtrace", "view", "-addr", "127.0.0.1:0", traceFile(t, 1), traceFile(t, 2)}, w, &stderr)
		_ = w.Close()
	}()
	url := firstLine(t, r)
	if !strings.HasPrefix(url, "http://127.0.0.1:") {
		t.Fatalf("%q, %s", url, stderr.String())
	}
	if status, body := getBody(t, url); status != http.StatusOK || !strings.Contains(body, "<title>mqtrace</title>") {
		t.Errorf("the page: %d %s", status, body)
	}
	_, body := getBody(t, url+traceview.TracesAPI)
	var list struct{ Traces []tree.Summary }
	if err := json.Unmarshal([]byte(body), &list); err != nil || len(list.Traces) != 2 || list.Traces[0].Name != "span 2" {
		t.Errorf("%v: %s", err, body)
	}
	cancel()
	if c := <-code; c != 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d: %s", c, stderr.String())
	}
}

func TestViewUsage(t *testing.T) {
	large := writeFile(t, `{"resourceSpans":[]}`+strings.Repeat(" ", 1<<20))
	for name, tt := range map[string]struct {
		args []string
		code int
		text string
	}{
		"not on loopback":      {[]string{"-addr", "0.0.0.0:0"}, exitUsage, "-allow-remote"},
		"no port":              {[]string{"-addr", "127.0.0.1"}, exitFailed, "missing port"},
		"no such file":         {[]string{"-addr", "127.0.0.1:0", "/no/such/file"}, exitFailed, "/no/such/file"},
		"a folder":             {[]string{"-addr", "127.0.0.1:0", t.TempDir()}, exitFailed, "is a directory"},
		"no trace":             {[]string{"-addr", "127.0.0.1:0", writeFile(t, "hello")}, exitFailed, "trace.json: traceview: malformed JSON"},
		"a file too large":     {[]string{"-addr", "127.0.0.1:0", "-max-memory", "1", large}, exitFailed, "larger than -max-memory"},
		"no memory":            {[]string{"-max-memory", "0"}, exitUsage, "-max-memory 0"},
		"a memory of no size":  {[]string{"-max-memory", "much"}, exitUsage, "max-memory"},
		"more than a machine":  {[]string{"-max-memory", "99999999"}, exitUsage, "from 1 to"},
		"no such address":      {[]string{"-addr", "256.0.0.1:0"}, exitFailed, "256.0.0.1"},
		"help has its example": {[]string{"-h"}, 0, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4318/v1/traces"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			code := run(t.Context(), append([]string{"mqtrace", "view"}, tt.args...), &out, &out)
			if code != tt.code || !strings.Contains(out.String(), tt.text) {
				t.Errorf("exit code %d: %s", code, out.String())
			}
		})
	}
}

// What is left out of a file is reported.
func TestViewSaysWhatItLeavesOut(t *testing.T) {
	for text, content := range map[string]string{
		"contains no spans": `{}`,
		"spans left out: 1": `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"without ids"}]}]}]}`,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		var stderr strings.Builder
		code := make(chan int, 1)
		go func() {
			code <- run(ctx, []string{"mqtrace", "view", "-addr", "127.0.0.1:0", writeFile(t, content)}, w, &stderr)
			_ = w.Close()
		}()
		firstLine(t, r)
		cancel()
		if c := <-code; c != 0 || !strings.Contains(stderr.String(), text) {
			t.Errorf("exit code %d: %s", c, stderr.String())
		}
	}
}

// As for mqtrace trace, - is the standard input.
func TestViewReadsStandardInput(t *testing.T) {
	in, err := os.Open(traceFile(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := process(t, "view", "-addr", "127.0.0.1:0", "-")
	cmd.Stdin = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, body := getBody(t, firstLine(t, out)+traceview.TracesAPI); !strings.Contains(body, "span 1") {
		t.Error(body)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
