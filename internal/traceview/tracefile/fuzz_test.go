package tracefile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode"

	"github.com/mqtrace/mqtrace/internal/traceview/terminal"
	"github.com/mqtrace/mqtrace/internal/traceview/tracefile"
)

// FuzzRead processes a file all the way to the terminal: whatever is in it, the spans read
// have valid ids, and their text does not control the terminal.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"resourceSpans":[]}{"data":[]}`))
	f.Add([]byte(`{"data":[{"spans":[{"traceID":"1","spanID":"2","startTime":-1,"duration":1e300,"references":[{}],"tags":[{"key":"\u001b[2J","value":[]}]}],"processes":{}}]}`))
	f.Add([]byte(`{"resourceSpans":[{"scopeSp{"resource_spans":[{"scope_spans":[{"spans":[{"traceId":"01000000000000000000000000000000","spanId":"0100000000000000","attributes":[{"key":"n","value":{"doubleValue":-Infinity}}]},{"x":NaN`))
	f.Add([]byte("\xff\xfe{\x00\"\x00=\xd8\"\x00:\x001\x00}\x00\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		traces, _, err := tracefile.Traces(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, tr := range traces {
			var out bytes.Buffer
			if err := terminal.WriteTree(&out, tr, terminal.Options{Width: 100}); err != nil {
				t.Error(err)
			}
			for _, r := range out.String() {
				if r != '\n' && !unicode.IsPrint(r) {
					t.Fatalf("%U in %q", r, out.String())
				}
			}
			if _, ok := tracefile.Select(traces, tr.ID); !ok {
				t.Errorf("trace %s cannot be asked for", tr.ID)
			}
		}
	})
}
