package amqpbroker_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// FuzzTopicMatch compares topicMatch with a regular expression.
func FuzzTopicMatch(f *testing.F) {
	for _, pattern := range []string{"", "#", "*", "a.#", "#.b", "a.*.c.#", "#.#", "#.b.#.d", "*.#.*"} {
		for _, key := range []string{"", "a", "a.b", "a.b.c", ".", "a..c", "b.d.b.d"} {
			f.Add(pattern, key)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if len(pattern) > 30 || len(key) > 30 || strings.ContainsAny(pattern+key, "\n") {
			return
		}
		// Every word is followed by a dot, so that # can match none.
		words := func(s string) string {
			if s == "" {
				return ""
			}
			return s + "."
		}
		expression := "^"
		for word := range strings.SplitAfterSeq(words(pattern), ".") {
			switch word {
			case "":
			case "#.":
				expression += `([^.]*\.)*`
			case "*.":
				expression += `[^.]*\.`
			default:
				expression += regexp.QuoteMeta(word)
			}
		}
		re, err := regexp.Compile(expression + "$")
		if err != nil {
			return // not UTF-8
		}
		if got, want := amqpbroker.TopicMatch(pattern, key), re.MatchString(words(key)); got != want {
			t.Errorf("%q matches %q: %t, want %t", pattern, key, got, want)
		}
	})
}
