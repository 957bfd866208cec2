package messaging_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

// rude is an error whose methods panic.
type rude struct{}

func (*rude) Error() string   { panic("no text") }
func (*rude) Is(error) bool   { panic("no answer") }
func (*rude) Unwrap() []error { panic("no causes") }

var errTest = errors.New("test")

func TestErrorType(t *testing.T) {
	known := func(err error) string {
		if errors.Is(err, errTest) {
			return "known"
		}
		return ""
	}
	for want, err := range map[string]error{
		"known":                    fmt.Errorf("wrapped: %w", errTest),
		"context.Canceled":         fmt.Errorf("wrapped: %w", context.Canceled),
		"context.DeadlineExceeded": context.DeadlineExceeded,
		"*errors.errorString":      errors.New("other"),
		"_OTHER":                   &rude{},
	} {
		if got := messaging.ErrorType(err, known); got != want {
			t.Errorf("%s: got %s", want, got)
		}
	}
	if messaging.Is(&rude{}, errTest) || !messaging.Is(errTest, errTest) {
		t.Error("Is")
	}
	if text := messaging.ErrorText((*rude)(nil)); text == "" {
		t.Error("an error that panics has no text at all")
	}
}

func TestValidText(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "plain": "plain", "größer": "größer", "\xff": "\uFFFD", "a\xffb": "a\uFFFDb", "abc\xc3": "abc\uFFFD",
	} {
		if got := messaging.ValidText(text); got != want {
			t.Errorf("%q is made %q, want %q", text, got, want)
		}
	}
	// Wherever in a longer text it is.
	for i := range 40 {
		if text := messaging.ValidText(strings.Repeat("x", i) + "\xff" + strings.Repeat("y", 40-i)); !utf8.ValidString(text) {
			t.Errorf("at %d: %q", i, text)
		}
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		sentAt string
		at     time.Time
		age    time.Duration
		by     messaging.Clock
	}{
		"stamped":                 {messaging.SentAt(now.Add(-time.Second)), time.Time{}, time.Second, messaging.Stamp},
		"the stamp counts first":  {messaging.SentAt(now.Add(-time.Second)), now.Add(-time.Hour), time.Second, messaging.Stamp},
		"timestamp":               {"", now.Add(-time.Hour), time.Hour, messaging.Timestamp},
		"unusable, and timestamp": {"soon", now.Add(-time.Hour), time.Hour, messaging.Timestamp},
		"in the future":           {messaging.SentAt(now.Add(time.Hour)), time.Time{}, 0, messaging.Stamp},
		"nothing":                 {"", time.Time{}, 0, messaging.Unknown},
		"before 1970":             {"-5", time.Unix(-5, 0), 0, messaging.Unknown},
	} {
		age, by := messaging.Age(tt.sentAt, tt.at, now)
		if age != tt.age || by != tt.by {
			t.Errorf("%s: %v, by %v", name, age, by)
		}
	}
}

// A message that waits for a millisecond has, with a clock of whole seconds, an age of up
// to a second.
func TestWholeSecondsMeasureOnlyLongTimes(t *testing.T) {
	for age, want := range map[time.Duration]bool{0: false, time.Second: false, 4 * time.Second: false, 5 * time.Second: true, time.Hour: true} {
		if got := messaging.Timestamp.Measures(age); got != want {
			t.Errorf("a timestamp measures %v: %t", age, got)
		}
		if !messaging.Stamp.Measures(age) || messaging.Unknown.Measures(age) {
			t.Errorf("%v", age)
		}
	}
}
