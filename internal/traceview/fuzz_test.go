package traceview_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"unicode"

	"github.com/mqtrace/mqtrace/internal/traceview"
)

func FuzzDecodeProtobuf(f *testing.F) {
	f.Add([]byte{})
	f.Add(marshal(f, request(fullSpan())))
	f.Add(marshal(f, request(wireSpan(sampleID, 1), wireSpan(otherID, 2))))
	f.Fuzz(func(t *testing.T, data []byte) { show(t, data, traceview.DecodeProtobuf) })
}

func FuzzDecodeJSON(f *testing.F) {
	body, err := os.ReadFile(filepath.Join("testdata", "request.json"))
	if err != nil {
		f.Fatal(err)
	}

	f.Add(body)
	f.Add([]byte("{}"))
	f.Add(toJSON(f, request(fullSpan())))
	f.Add(fmt.Appendf(nil, jsonSpan, sampleID, spanID(1)))
	f.Fuzz(func(t *testing.T, data []byte) { show(t, data, traceview.DecodeJSON) })
}

// show takes a payload all the way to the terminal.
func show(t *testing.T, data []byte, decode func([]byte) (traceview.Decoded, error)) {
	t.Helper()

	decoded, err := decode(data)
	if err != nil {
		return
	}

	store := traceview.NewStore(traceview.Limits{Traces: 10, Spans: 100, Bytes: 1 << 20})
	if got := store.Add(decoded.Spans...); got.Invalid != 0 {
		t.Errorf("decoded %d spans without valid ids", got.Invalid)
	}

	if stats := store.Stats(); stats.Bytes > 1<<20 || stats.Spans > 100 || stats.Traces > 10 {
		t.Errorf("beyond its limits: %+v", stats)
	}

	for _, tr := range store.Traces() {
		for _, width := range []int{40, 120} {
			if err := traceview.WriteTree(printableOnly{t}, tr, traceview.TreeOptions{Width: width}); err != nil {
				t.Error(err)
			}
		}
	}
}

// printableOnly is a terminal that takes offence at control characters.
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
