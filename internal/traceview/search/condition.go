package search

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// condition parses a word: a key, a comparison operator and a value, or a text to be found.
func condition(word string) (func(*tree.Tree) bool, error) {
	at := strings.IndexAny(word, "<>=:")
	if at <= 0 {
		return anywhere(word), nil
	}

	key, compare, value := word[:at], word[at:at+1], word[at+1:]
	if rest, ok := strings.CutPrefix(value, "="); ok && compare != ":" {
		compare, value = compare+"=", rest
	}

	lower := strings.ToLower(key)
	if measure, ok := measures[lower]; ok {
		return measured(measure, word, compare, value)
	}

	if compare[0] == '<' || compare[0] == '>' {
		if !strings.Contains(key, ".") {
			return nil, fmt.Errorf("%s: %s is not a numeric key; the numeric keys are: %s", word, key, strings.Join(measureNames(), ", "))
		}

		return numberAttribute(key, word, compare, value)
	}

	if is, ok := texts[lower]; ok {
		return is(value), nil
	}

	switch lower {
	case "is":
		return state(word, value)
	case "since":
		return since(word, value)
	case "http", "https":
		return anywhere(word), nil
	}

	return anySpanHolds(func(s *spans.Span) bool {
		return likeAttribute(s.Attributes, key, value) || likeAttribute(s.Resource.Attributes, key, value)
	}), nil
}

func anySpanHolds(holds func(*spans.Span) bool) func(*tree.Tree) bool {
	return func(t *tree.Tree) bool { return anySpan(t.Trace, holds) }
}

// likeAttribute compares values in any letter case.
func likeAttribute(a spans.Attributes, key, value string) bool {
	v, ok := a.Get(key)

	return ok && (value == "" || strings.EqualFold(spans.FormatValue(v), value))
}

func contains(text, part string) bool { return strings.Contains(strings.ToLower(text), part) }

// anywhere finds text in names, services and error texts, and at the start of ids.
func anywhere(word string) func(*tree.Tree) bool {
	part := strings.ToLower(word)

	return func(t *tree.Tree) bool {
		return strings.HasPrefix(t.Trace.ID.String(), part) || anySpan(t.Trace, func(s *spans.Span) bool {
			return contains(s.Name, part) || contains(s.Service, part) || strings.HasPrefix(s.SpanID.String(), part) ||
				s.Failed() && contains(tree.ErrorText(s), part)
		})
	}
}

// texts are the keys whose values are compared in any letter case.
var texts = map[string]func(string) func(*tree.Tree) bool{
	"queue": func(value string) func(*tree.Tree) bool {
		return anySpanHolds(func(s *spans.Span) bool { return hasFold(s, value) })
	},
	"service": func(value string) func(*tree.Tree) bool {
		return anySpanHolds(func(s *spans.Span) bool { return strings.EqualFold(s.Service, value) })
	},
	"name": func(value string) func(*tree.Tree) bool {
		value = strings.ToLower(value)

		return anySpanHolds(func(s *spans.Span) bool { return contains(s.Name, value) })
	},
	"error": func(value string) func(*tree.Tree) bool {
		value = strings.ToLower(value)

		return anySpanHolds(func(s *spans.Span) bool { return s.Failed() && contains(tree.ErrorText(s), value) })
	},
	"waiting": func(value string) func(*tree.Tree) bool {
		return func(t *tree.Tree) bool {
			return slices.ContainsFunc(t.Order, func(n *tree.Node) bool { return n.WaitsIn(value) })
		}
	},
	"id": func(value string) func(*tree.Tree) bool {
		value = strings.ToLower(value)

		return func(t *tree.Tree) bool {
			return strings.HasPrefix(t.Trace.ID.String(), value) ||
				anySpan(t.Trace, func(s *spans.Span) bool { return strings.HasPrefix(s.SpanID.String(), value) })
		}
	},
}

func hasFold(s *spans.Span, queue string) bool {
	if messaging.Has(s, queue) {
		return true
	}

	d := messaging.DestinationOf(s)

	return strings.EqualFold(d.Queue, queue) || strings.EqualFold(d.Exchange, queue)
}

// state is a condition on the state of a trace.
func state(word, value string) (func(*tree.Tree) bool, error) {
	switch strings.ToLower(value) {
	case "waiting", "stuck", "unconsumed":
		return func(t *tree.Tree) bool { count, _ := t.Waiting(); return count > 0 }, nil
	case "scheduled", "due":
		return func(t *tree.Tree) bool { count, _ := t.Scheduled(); return count > 0 }, nil
	case "error", "failed":
		return func(t *tree.Tree) bool { return t.Trace.Errors() > 0 }, nil
	case "retry", "retried":
		return func(t *tree.Tree) bool { return attempts(t) > 1 }, nil
	case "dead":
		return anySpanHolds(func(s *spans.Span) bool { count, _, _ := messaging.DeadLetters(s); return count > 0 }), nil
	default:
		return nil, fmt.Errorf("%s: is: accepts waiting, scheduled, error, retry or dead", word)
	}
}

// since compares when a trace began, not when it was received.
func since(word, value string) (func(*tree.Tree) bool, error) {
	if d, err := time.ParseDuration(value); err == nil {
		from := time.Now().Add(-d)

		return func(t *tree.Tree) bool { start, _ := t.Trace.Bounds(); return start.After(from) }, nil
	}

	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if from, err := time.ParseInLocation(layout, value, time.Local); err == nil { //nolint:gosmopolitan // People enter local time.
			return func(t *tree.Tree) bool { start, _ := t.Trace.Bounds(); return !start.Before(from) }, nil
		}
	}

	return nil, fmt.Errorf("%s: since: accepts a duration such as 10m, or a time such as 2026-03-01T09:30", word)
}
