package spans_test

import (
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

func TestFormatValue(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"text", "text"},
		{true, "true"},
		{int64(-7), "-7"},
		{0.25, "0.25"},
		{[]byte("hi"), "aGk="},
		{[]any{"a", int64(1), []any{}}, "[a, 1, []]"},
		{spans.Attributes{{"k", "v"}, {"l", nil}}, "{k: v, l: null}"},
		{nil, "null"},
	} {
		if got := spans.FormatValue(tt.value); got != tt.want {
			t.Errorf("%#v: got %q, want %q", tt.value, got, tt.want)
		}
	}

	long := strings.Repeat("é", 1<<20)
	for _, v := range []any{long, []byte(long), []any{long, long}, spans.Attributes{{long, long}}} {
		if got := spans.FormatValue(v); len(got) > 1100 || !strings.HasSuffix(got, "…") {
			t.Errorf("%T: %d bytes", v, len(got))
		}
	}
}
