package escape_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/escape"
)

// However the input is split, the output is the same JSON, and nothing in it moves the
// cursor.
func FuzzWriter(f *testing.F) {
	for _, text := range []string{"", "plain", "\x1b[31m", "a\u009b31mb", "\u202etxt\u2066", "日本 é", "\U000e0001", "\x7f", "\xff\xfe", "\ufffd", `\"<&>`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var plain bytes.Buffer
		encoder := json.NewEncoder(&plain)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "\t")
		if err := encoder.Encode([]string{text}); err != nil {
			t.Fatal(err)
		}
		for _, cut := range []int{plain.Len(), 1, 3} {
			var out bytes.Buffer
			w := escape.NewWriter(&out)
			for rest := plain.Bytes(); len(rest) > 0; rest = rest[min(cut, len(rest)):] {
				if _, err := w.Write(rest[:min(cut, len(rest))]); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range out.String() {
				if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
					t.Errorf("%U in %q", r, out.String())
				}
			}
			var want, got []string
			if json.Unmarshal(plain.Bytes(), &want) != nil || json.Unmarshal(out.Bytes(), &got) != nil || got[0] != want[0] {
				t.Errorf("%q becomes %q, in %s", want, got, out.String())
			}
		}
	})
}

func TestWriter(t *testing.T) {
	var out strings.Builder
	if _, err := escape.NewWriter(&out).Write([]byte("{\"a\": \"é\u009b31m\u202e\U000e0001\x7f\xff\"}\n")); err != nil {
		t.Fatal(err)
	}
	if want := "{\"a\": \"é" + `\u009b31m\u202e\udb40\udc01\u007f\ufffd` + "\"}\n"; out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
	if _, err := escape.NewWriter(failing{}).Write([]byte("x")); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("error %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, iotest.ErrTimeout }
