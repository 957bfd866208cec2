package otlp_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"unicode"

	"github.com/mqtrace/mqtrace/internal/traceview/otlp"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/store"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
)

func FuzzDecodeProtobuf(f *testing.F) {
	f.Add([]byte{})
	f.Add(sample.Marshal(f, sample.Request(sample.FullSpan())))
	f.Add(sample.Marshal(f, sample.Request(sample.WireSpan(sample.ID, 1), sample.WireSpan(sample.OtherID, 2))))
	f.Fuzz(func(t *testing.T, data []byte) { show(t, data, otlp.DecodeProtobuf) })
}

func FuzzDecodeJSON(f *testing.F) {
	body, err := os.ReadFile(filepath.Join("testdata", "request.json"))
	if err != nil {
		f.Fatal(err)
	}

	f.Add(body)
	f.Add([]byte("{}"))
	f.Add(sample.JSON(f, sample.Request(sample.FullSpan())))
	f.Add(fmt.Appendf(nil, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s"}]}]}]}`, sample.ID, sample.SpanID(1)))
	f.Fuzz(func(t *testing.T, data []byte) { show(t, data, otlp.DecodeJSON) })
}

// show processes a payload all the way to the terminal.
func show(t *testing.T, data []byte, decode func([]byte) (otlp.Decoded, error)) {
	t.Helper()

	decoded, err := decode(data)
	if err != nil {
		return
	}

	kept := store.New(store.Limits{Traces: 10, Spans: 100, Bytes: 1 << 20})
	if got := kept.Add(decoded.Spans...); got.Invalid != 0 {
		t.Errorf("decoded %d spans without valid ids", got.Invalid)
	}

	if stats := kept.Stats(); stats.Bytes > 1<<20 || stats.Spans > 100 || stats.Traces > 10 {
		t.Errorf("beyond its limits: %+v", stats)
	}

	for _, tr := range kept.Traces() {
		for _, width := range []int{40, 120} {
			if err := terminal.WriteTree(printableOnly{t}, tr, terminal.Options{Width: width}); err != nil {
				t.Error(err)
			}
		}
	}
}

// printableOnly is a terminal that fails on control characters.
type printableOnly struct{ t *testing.T }

var _ io.Writer = printableOnly{}

func (p printableOnly) Write(b []byte) (int, error) {
	for _, r := range string(b) {
		if r != '\n' && !unicode.IsPrint(r) {
			p.t.Errorf("%U in %q", r, b)
		}
	}

	return len(b), nil
}
