package textfmt_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Columns are those of a terminal: an accent takes none, an ideograph two, and an emoji of
// several runes is cut as a whole.
func TestFit(t *testing.T) {
	for _, tt := range []struct {
		text    string
		columns int
		want    string
	}{
		{"orders", 6, "orders"},
		{"orders", 5, "orde…"},
		{"注文サービス", 6, "注文…"},
		{"注文サービス", 12, "注文サービス"},
		{"cafe\u0301s", 5, "cafe\u0301s"},
		{"cafe\u0301 noir", 5, "cafe\u0301…"},
		{"👍🏽👍🏽👍🏽", 5, "👍🏽👍🏽…"},
		{"👍🏽👍🏽👍🏽", 4, "👍🏽…"},
		{"❤️❤️", 3, "❤️…"},
	} {
		if got := textfmt.Fit(tt.text, tt.columns); got != tt.want {
			t.Errorf("%q in %d columns is %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text           string
		columns, lines int
		want           []string
	}{
		{"one two three", 8, 3, []string{"one two", "three"}},
		{"one two three", 6, 2, []string{"one", "two t…"}},
		{"unbreakable", 5, 3, []string{"unbre", "akabl", "e"}},
		{"注文サービス", 5, 3, []string{"注文", "サー", "ビス"}},
		{"👍🏽👍🏽", 1, 2, []string{"👍🏽", "…"}},
	} {
		if got := textfmt.Wrap(tt.text, tt.columns, tt.lines); !slices.Equal(got, tt.want) {
			t.Errorf("%q in %d columns is %q, want %q", tt.text, tt.columns, got, tt.want)
		}
	}
}

// No unit exceeds its range.
func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0", 950: "950ns", 12_340 * time.Microsecond: "12.3ms", 59_994 * time.Millisecond: "60.0s", 59_996 * time.Millisecond: "1m00s",
		time.Hour - 501*time.Millisecond: "59m59s", time.Hour - 499*time.Millisecond: "1h00m", 3*24*time.Hour + 4*time.Hour: "3d04h",
	} {
		if got := textfmt.FormatDuration(d); got != want {
			t.Errorf("%v is %q, want %q", int64(d), got, want)
		}
	}
}
