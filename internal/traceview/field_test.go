package traceview_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview"
	"github.com/mqtrace/mqtrace/internal/traceview/page"
	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
	"github.com/mqtrace/mqtrace/internal/traceview/tracefile"
)

// The files in testdata/field are what other programs produce, one of each kind.
func field(t *testing.T, name string) []byte {
	t.Helper()

	b, err := os.ReadFile(filepath.Join("testdata", "field", name))
	if err != nil {
		t.Fatal(err)
	}

	return b
}

// drawn returns the file as `mqtrace trace` draws it, with its warnings.
func drawn(t *testing.T, data []byte) string {
	t.Helper()

	traces, result, err := tracefile.Traces(bytes.NewReader(data))
	if err != nil {
		return err.Error()
	}

	var out strings.Builder
	for _, tr := range traces {
		if err := terminal.WriteTree(&out, tr, terminal.Options{Width: 120, Attributes: []string{"n", "note"}}); err != nil {
			t.Fatal(err)
		}
	}

	return out.String() + strings.Join(result.Warnings(), "\n")
}

// opened returns the store after the page has opened the files.
func opened(t *testing.T, files ...[]byte) *traceview.Store {
	t.Helper()

	kept := traceview.NewStore(traceview.Limits{})
	h := traceview.NewHandler(kept)

	for _, data := range files {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, page.OpenAPI, bytes.NewReader(data)))

		if w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}

	return kept
}

func TestField(t *testing.T) {
	two := []string{"root", "child", "2 spans"}

	for name, want := range map[string][]string{
		"01-broadcast.json": {
			"155ms waiting", "waited in amq.gen-*", "23.8ms", "waited in amq.gen-*", "51.8ms", "waited in amq.gen-*", "79.8ms",
		},
		"04-int-beyond-64-bits.json":   append([]string{"n=18446744073709552000"}, two...),
		"04-lone-surrogate.json":       append([]string{"note=cut here \ufffd"}, two...),
		"05-ended.json":                {"1m00s", "disk full"},
		"05-shared-id.json":            {"3 spans", "client call", "server handles", "shares its id with another span", "grandchild"},
		"06-still-being-written.jsonl": append([]string{"cut off"}, two...),
		"06-three-signals.jsonl":       two,
		"06-two-lines.jsonl":           {"trace 5b8aa5a2d2c872e8321cf37308d69df2", "trace 6b8aa5a2d2c872e8321cf37308d69df2"},
		"08-one-of-two-in-base64.json": two,
		"08-before-otlp-0.15.json":     two,
		"10-jaeger-dead-letter.json":   {"dead-lettered (rejected), waited in dead", "895ms"},
		"11-node.json":                 {"waited in billing", "797ms"},
		"11-java.json":                 {"waited in billing", "797ms"},
		"13-tempo-v2.json":             two,
		"14-end-before-start.json":     {"ends 3.00ms before it starts"},
	} {
		t.Run(name, func(t *testing.T) {
			got := drawn(t, field(t, name))
			for _, text := range want {
				if !strings.Contains(got, text) {
					t.Errorf("no %q in\n%s", text, got)
				}
			}

			if name == "01-broadcast.json" && (strings.Contains(got, "attempt") || strings.Contains(got, "retried")) {
				t.Errorf("a fanout is drawn as retries:\n%s", got)
			}

			// The page's Open reads the same.
			var page strings.Builder
			for _, tr := range opened(t, field(t, name)).Traces() {
				_ = terminal.WriteTree(&page, tr, terminal.Options{Width: 120, Attributes: []string{"n", "note"}})
			}

			if !strings.HasPrefix(got, page.String()) || page.Len() == 0 {
				t.Errorf("opened, it is\n%s\nand drawn\n%s", page.String(), got)
			}
		})
	}
}

func TestFieldOfAnEndedSpan(t *testing.T) {
	open, ended := field(t, "05-open.json"), field(t, "05-ended.json")
	for name, files := range map[string][][]byte{
		"two requests": {open, ended}, "the other way round": {ended, open}, "one stream": {append(append([]byte{}, open...), ended...)},
	} {
		tr := opened(t, files...).Traces()[0]
		if len(tr.Spans) != 1 || tr.Duration().Minutes() != 1 || tr.Spans[0].Status.Message != "disk full" {
			t.Errorf("%s: %+v", name, tr.Spans)
		}
	}
}

func TestFieldPosted(t *testing.T) {
	for name, spans := range map[string]int{
		"04-int-beyond-64-bits.json": 2, "04-lone-surrogate.json": 2, "05-shared-id.json": 3,
		"08-one-of-two-in-base64.json": 2, "08-before-otlp-0.15.json": 2,
	} {
		kept := traceview.NewStore(traceview.Limits{})
		if partial := wantSuccess(t, post(traceview.NewHandler(kept), bytes.NewReader(field(t, name)), "Content-Type", jsonType), jsonType); partial != nil {
			t.Errorf("%s: %v", name, partial)
		}

		if got := kept.Stats().Spans; got != spans {
			t.Errorf("%s: %d spans", name, got)
		}
	}

	kept := opened(t, field(t, "11-node.json"), field(t, "01-broadcast.json"))
	if got := strings.Join(kept.Queues(), " "); got != "billing events amq.gen-*" && got != "billing amq.gen-*" {
		t.Errorf("queues: %s", got)
	}

	if got := getJSON[listAnswer](t, traceview.NewHandler(kept), "/api/traces?queue=billing"); got.Found != 1 {
		t.Errorf("%+v", got)
	}
}

// Others of the same kinds.
func TestFieldKinds(t *testing.T) {
	document := func(span string) string {
		return `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeSpans":[{"spans":[` +
			`{"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"00000000000000a1","name":"root","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000005000000"` +
			span + `},{"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"00000000000000b2","name":"child","parentSpanId":"00000000000000a1"}]}]}]}`
	}
	jaeger := `{"traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spans":[{"traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spanID":"a1","operationName":"root","startTime":"1","duration":5.0,"references":{},"processID":"p1"},` +
		`{"traceID":"5b8aa5a2d2c872e8321cf37308d69df2","spanID":"b2","operationName":"child","startTime":1,"duration":5,"processID":"p1"}],"processes":{"p1":{"serviceName":"shop"}}}`
	tempo := `{"batches":[{"resource":{},"instrumentationLibrarySpans":[{"spans":[{"traceId":"W4qlotLIcugyHPNzCNad8g==","spanId":"AAAAAAAAAKE=","name":"root"},{"traceId":"W4qlotLIcugyHPNzCNad8g==","spanId":"AAAAAAAAALI=","name":"child"}]}]}]}`

	utf16 := []byte{0xff, 0xfe}
	for _, c := range []byte(document("")) {
		utf16 = append(utf16, c, 0)
	}

	half := append(append([]byte{}, utf16...), '\n') // a line end of another program
	at := bytes.Index(half, []byte("r\x00o\x00o\x00t\x00"))
	half = slices.Insert(half, at, 0x3d, 0xd8) // half a pair

	cut := document(`,"attributes":[]`)
	for name, text := range map[string]string{
		"a number in a name":           document(`,"name":17`),
		"a list in a name":             document(`,"name":[1]`),
		"attributes that are a map":    document(`,"attributes":{"a":1}`),
		"an attribute without a type":  document(`,"attributes":[{"key":"note","value":"plain"},{"key":"x","value":7},{"key":"y","value":[1]},null,3]`),
		"a boolean in a number":        document(`,"attributes":[{"key":"n","value":{"intValue":true}},{"key":"d","value":{"doubleValue":"x"}},{"key":"e","value":{"doubleValue":1e999}}]`),
		"no base64":                    document(`,"attributes":[{"key":"b","value":{"bytesValue":"%%%"}}]`),
		"an unknown kind":              document(`,"kind":"SPAN_KIND_WEIRD","status":{"code":"STATUS_CODE_WEIRD"}`),
		"numbers with a point":         document(`,"kind":2.0,"status":{"code":2.0},"flags":1.0,"droppedAttributesCount":3.0`),
		"negative counts":              document(`,"droppedAttributesCount":-1,"flags":99999999999,"droppedLinksCount":"x"`),
		"a time with an exponent":      document(`,"endTimeUnixNano":1.700000000005e18`),
		"a negative time":              document(`,"endTimeUnixNano":-5`),
		"a link without ids":           document(`,"links":[{"traceId":"zz"},7,{"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"00000000000000b2"}]`),
		"events of another form":       document(`,"events":{"name":"x"},"status":"ok"`),
		"bytes that are not text":      document(",\"attributes\":[{\"key\":\"note\",\"value\":{\"stringValue\":\"a\xff\xfeb\"}}]"),
		"a byte order mark":            "\ufeff" + document(""),
		"UTF-16":                       string(utf16),
		"UTF-16 with half a pair":      string(half),
		"numbers that are none":        document(`,"attributes":[{"key":"n","value":{"doubleValue":NaN}},{"key":"m","value":{"doubleValue": -Infinity}}]`),
		"the same, in many lines":      strings.ReplaceAll(document(`,"attributes":[{"key":"n","value":{"doubleValue":NaN}}]`), ",", ",\n"),
		"control characters in text":   document(",\"attributes\":[{\"key\":\"note\",\"value\":{\"stringValue\":\"a\tb\x1b[31m\\\t\"}}]"),
		"zeros of a crash":             "\x00\x00\x00" + document("") + "\n\x00\x00",
		"record separators":            "\x1e" + `{"resourceLogs":[]}` + "\n\x1e" + document("") + "\n",
		"lines of a container's log":   "2023-11-14T22:13:20.123Z stdout F " + document("") + "\n",
		"several byte order marks":     "\ufeff" + `{"resourceLogs":[]}` + "\n\ufeff" + document(""),
		"written on after a crash":     document("")[:200] + document(""),
		"the same, in a name":          `{"resourceMetrics":[{"scopeMet` + document("") + "\n",
		"in a list":                    "[" + document("") + "]",
		"a resource behind its spans":  strings.Replace(strings.Replace(document(""), `"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},`, "", 1), `}]}]}]}`, `}]}],"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}}]}`, 1),
		"a broken line in the middle":  "{\"resourceSpans\":[{\"reso\n" + document("") + "\n",
		"a document that is cut off":   cut[:len(cut)-3],
		"another document before it":   `{"hello":1}` + document(""),
		"one of Jaeger's by itself":    jaeger,
		"a list of Jaeger's":           "[" + jaeger + "]",
		"Jaeger's in data":             `{"data":[` + jaeger + `]}`,
		"Jaeger's batches":             `{"batches":[{"process":{"serviceName":"shop"},` + strings.TrimPrefix(jaeger, `{"traceID":"5b8aa5a2d2c872e8321cf37308d69df2",`) + `]}`,
		"Tempo's first API":            tempo,
		"the names of protobuf fields": strings.NewReplacer("resourceSpans", "resource_spans", "scopeSpans", "scope_spans", "traceId", "trace_id", "spanId", "span_id").Replace(document("")),
	} {
		t.Run(name, func(t *testing.T) {
			got := drawn(t, []byte(text))
			if !strings.Contains(got, "2 spans") || !strings.Contains(got, "child") {
				t.Errorf("drawn:\n%s", got)
			}
		})
	}

	for name, tt := range map[string]struct{ text, want string }{
		"a number that is none": {document(`,"attributes":[{"key":"n","value":{"doubleValue":NaN}},{"key":"note","value":{"doubleValue":-Infinity}}]`), "n=NaN  note=-Inf"},
		"a kind with a point":   {document(`,"kind":2.0,"status":{"code":"2.0","message":"full"},"flags":1e0`), "server"},
		"a broken line":         {document("") + "\n" + `{"resourceSpans":[{"scope` + "\n" + document("") + "\n{]\n", "2 places skipped, the first in line 2: not JSON"},
		"a broken value":        {document("") + "\n\n\n" + `{"a":b}`, "1 place skipped, in line 4: not JSON"},
		"no JSON at all":        {"\n<html>", "'<' looking for beginning of value, in line 2"},
		"no list":               {`{"resourceSpans":{}}`, "traceview: malformed JSON: resourceSpans is not a list, in line 1"},
		"no whole span":         {document("")[:200], "it ends in line 1"},
		"Zipkin":                {`[{"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","id":"00000000000000a1"}]`, "neither OTLP JSON nor"},
		"gzip":                  {"\x1f\x8b\x08\x00", "it is compressed"},
		"zstd":                  {"\x28\xb5\x2f\xfd\x04", "it is compressed"},
		"a part of a trace":     {`{"trace":` + document("") + `,"status":"PARTIAL","message":"trace exceeds max size"}`, "the server reports that a part of the trace is missing: trace exceeds max size"},
		"Jaeger, no times":      {`{"spans":[{"traceID":"a","spanID":"a1","startTime":0,"duration":0},{"traceID":"a","spanID":"b2"},{"traceID":"a","spanID":"c3","startTime":1700000000000000,"duration":5000}]}`, "3 spans · 5.00ms"},
		"Jaeger, odd times":     {`{"spans":[{"traceID":"a","spanID":"a1","startTime":1700000000000000,"duration":9223372036854775807},{"traceID":"a","spanID":"b2","startTime":9223372036854775807},{"traceID":"a","spanID":"c3","startTime":-5,"duration":1}]}`, ">999d"},
	} {
		if got := drawn(t, []byte(tt.text)); !strings.Contains(got, tt.want) || strings.Contains(got, "before it starts") {
			t.Errorf("%s: no %q in\n%s", name, tt.want, got)
		}
	}

	for name, text := range map[string]string{"nothing": "", "no traces": "{}", "text": "hello", "another document": `{"a":1}`, "an empty list": `{"resourceSpans":[]}`} {
		if got := drawn(t, []byte(text)); strings.Contains(got, "span") && !strings.Contains(got, "neither") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// A span that was exported before its end, without its kind, is the one that ended.
func TestFieldOfASpanThatGetsItsKind(t *testing.T) {
	open := field(t, "05-open.json")
	ended := bytes.Replace(field(t, "05-ended.json"), []byte(`"name":"nightly job"`), []byte(`"name":"nightly job","kind":5`), 1)

	for name, files := range map[string][][]byte{"in order": {open, ended, open}, "the other way round": {ended, open, ended}} {
		if got := opened(t, files...).Traces()[0].Spans; len(got) != 1 || got[0].Status.Message != "disk full" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Why a span failed may be in other places than its status.
func TestFieldOfErrors(t *testing.T) {
	for name, tt := range map[string]struct{ span, want string }{
		"a type alone":      {`"events":[{"name":"exception","attributes":[{"key":"exception.type","value":{"stringValue":"ValueError"}},{"key":"exception.message","value":{"stringValue":""}}]}]`, "ValueError"},
		"OpenTracing's log": {`"events":[{"name":"error","attributes":[{"key":"message","value":{"stringValue":"disk full"}}]}]`, "disk full"},
		"an older status":   {`"attributes":[{"key":"http.status_code","value":{"intValue":"503"}},{"key":"error.type","value":{"stringValue":"503"}}]`, "HTTP 503"},
	} {
		got := drawn(t, []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"00000000000000a1","name":"job","status":{"code":2},`+tt.span+`}]}]}]}`))
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: no %q in\n%s", name, tt.want, got)
		}
	}

	attempts := `{"spans":[{"traceID":"a","spanID":"a1","operationName":"process billing","startTime":1700000000000000,"duration":5,"tags":[{"key":"span.kind","type":"string","value":"consumer"},{"key":"mqtrace.attempt","type":"string","value":"3"}]}]}`
	if got := drawn(t, []byte(attempts)); !strings.Contains(got, "attempt 3") {
		t.Errorf("a number in text:\n%s", got)
	}
}

// Documents that begin within one another and are all broken at the end are not all read to
// the end.
func TestFieldOfManyBeginnings(t *testing.T) {
	for _, end := range []string{"", "\n"} {
		text := strings.Repeat(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"x":`+end, 1000) + `"` + strings.Repeat("y", 8<<20) + `" !` + "\n"

		began := time.Now()
		if got := drawn(t, []byte(text)); !strings.Contains(got, "malformed JSON") {
			t.Errorf("%.200s", got)
		}

		if took := time.Since(began); took > time.Minute { // It would be several.
			t.Errorf("took %v", took)
		}
	}
}
