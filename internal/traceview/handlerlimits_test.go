package traceview_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
)

func TestHandlerCapsTheBody(t *testing.T) {
	const limit = 1000

	exactly := func(n int) []byte {
		return append([]byte("{}"), bytes.Repeat([]byte(" "), n-2)...)
	}
	noise := make([]byte, 4*limit) // does not compress
	for i := range noise {
		noise[i] = byte(i * i >> 3 * 7)
	}

	for _, tt := range []struct {
		name   string
		body   []byte
		gzip   bool
		status int
	}{
		{"at the limit", exactly(limit), false, 200},
		{"over it", exactly(limit + 1), false, 413},
		{"at the limit, compressed", exactly(limit), true, 200},
		{"over it once decompressed", exactly(limit + 1), true, 413},
		{"a bomb", exactly(8 << 20), true, 413},
		{"over it while compressed", noise, true, 413},
	} {
		for _, announced := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, length known %v", tt.name, announced), func(t *testing.T) {
				h := traceview.NewHandler(traceview.NewStore(traceview.Limits{RequestBytes: limit}))
				body, encoding := tt.body, ""

				if tt.gzip {
					body, encoding = sample.Compress(t, body), "gzip"
				}

				var src io.Reader = bytes.NewReader(body)
				if !announced {
					src = io.MultiReader(src) // of a type whose length is unknown
				}

				w := post(h, src, "Content-Type", jsonType, "Content-Encoding", encoding)
				if tt.status == 200 {
					wantSuccess(t, w, jsonType)
				} else {
					wantError(t, w, tt.status, jsonType)
				}
			})
		}
	}
}

// A small body may encode a great many objects. It is refused before they are allocated.
func TestHandlerRefusesBombs(t *testing.T) {
	const n = 6_000_000

	emptySpans := func() []byte { // 2 bytes a span: field 2, length 0
		spans := bytes.Repeat([]byte{0x12, 0}, n)
		scope := append(varint(0x12, len(spans)), spans...)

		return append(varint(0x0a, len(scope)), scope...)
	}
	nested := func(depth int) []byte {
		return []byte(`{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":` +
			strings.Repeat(`{"arrayValue":{"values":[`, depth) + strings.Repeat(`]}}`, depth) + `}]}}]}`)
	}

	for _, tt := range []struct {
		name, contentType string
		body              []byte
		status            int
	}{
		{"empty spans", protobufType, emptySpans(), 413},
		{"empty spans in JSON", jsonType, []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{}` +
			strings.Repeat(",{}", n) + `]}]}]}`), 413},
		{"nested", jsonType, nested(10_000), 400},
		{"nested in what is not known", jsonType, []byte(`{"x":` + strings.Repeat("[", 1_000_000)), 400},
		{"nested a little", jsonType, nested(20), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats

			h := traceview.NewHandler(traceview.NewStore(traceview.Limits{}))

			runtime.ReadMemStats(&before)
			w := post(h, bytes.NewReader(tt.body), "Content-Type", tt.contentType)
			runtime.ReadMemStats(&after)

			if w.Code != tt.status {
				t.Errorf("got %d, want %d: %.200s", w.Code, tt.status, w.Body)
			}

			// The body is read into a buffer that doubles, and JSON is copied once.
			if got := after.TotalAlloc - before.TotalAlloc; got > 120<<20 {
				t.Errorf("took %d MiB", got>>20)
			}
		})
	}
}

func varint(tag byte, n int) []byte {
	b := []byte{tag}
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}

	return append(b, byte(n))
}

// Only the value that is nested too deeply is lost, and its span says so.
func TestHandlerNestedProtobuf(t *testing.T) {
	value := sample.Text("x")

	for range 500 {
		value = sample.ArrayOf(value)
	}

	span := sample.WireSpan(sample.ID, 1)
	span.Attributes = append(span.Attributes, sample.Pair("deep", value), sample.Pair("k", sample.Text("v")))

	store := traceview.NewStore(traceview.Limits{})
	w := post(traceview.NewHandler(store), bytes.NewReader(sample.Marshal(t, sample.Request(span))), "Content-Type", protobufType)
	wantSuccess(t, w, protobufType)

	tr, _ := store.Trace(sample.ID)
	if len(tr.Spans) != 1 || tr.Spans[0].Attributes.Text("k") != "v" || tr.Spans[0].LeftOut == 0 {
		t.Errorf("%+v", tr.Spans)
	}
}

// Bodies that are being received at the same time take bounded memory: a request for which
// there is no room is answered with a request to retry, and all of it is released in the end.
func TestHandlerBoundsWhatItReceivesAtOnce(t *testing.T) {
	h := traceview.NewHandler(traceview.NewStore(traceview.Limits{}))
	half := bytes.Repeat([]byte{0xff}, 15<<20) // malformed at the first byte
	ends := make(chan struct{})

	var (
		sent, done sync.WaitGroup
		mu         sync.Mutex
		codes      = make(map[int]int)
	)

	for range 8 {
		sent.Add(1)

		body := io.MultiReader(bytes.NewReader(half), readerFunc(func([]byte) (int, error) {
			sent.Done()
			<-ends

			return 0, io.EOF
		}))

		done.Go(func() {
			w := post(h, body, "Content-Type", protobufType)
			if w.Code == http.StatusServiceUnavailable {
				sent.Done() // It did not get that far.

				if w.Header().Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}

			mu.Lock()
			defer mu.Unlock()

			codes[w.Code]++
		})
	}

	sent.Wait()
	close(ends)
	done.Wait()

	if codes[http.StatusServiceUnavailable] == 0 || codes[http.StatusBadRequest] == 0 {
		t.Errorf("answers: %v", codes)
	}

	for range 3 {
		wantError(t, post(h, bytes.NewReader(half), "Content-Type", protobufType), http.StatusBadRequest, protobufType)
	}
}
