//nolint:goconst // The columns and the words of a search stand where they are read.
package search

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// Syntax is how a search is written, for help texts.
const Syntax = `words are found in names, services, ids and error texts; "two words" together
queue=emails  service=shop  tenant.id=acme  name=publish  error:mailbox
waited>1s  duration>500ms  attempt>2  spans>100  errors>0  since:10m
is:waiting (nothing has consumed it)  is:error  is:retry  is:dead
a - before any of them turns it round: -queue=emails`

// Search is what a person has typed: all of its terms have to hold.
type Search struct {
	terms []term
}

// term is a condition of a trace.
type term struct {
	not   bool
	holds func(*tree.Tree) bool
}

// Parse reads a search. Its error says which word is wrong, and what would be right.
func Parse(text string) (Search, error) {
	var s Search

	words, err := split(text)
	if err != nil {
		return s, err
	}

	for _, word := range words {
		t := term{}
		if rest, ok := strings.CutPrefix(word, "-"); ok && rest != "" {
			t.not, word = true, rest
		}

		if t.holds, err = condition(word); err != nil {
			return Search{}, err
		}

		s.terms = append(s.terms, t)
	}

	return s, nil
}

// Matches reports whether the search finds the trace.
func (s Search) Matches(t *tree.Tree) bool {
	for _, term := range s.terms {
		if term.holds(t) == term.not {
			return false
		}
	}

	return true
}

// split breaks a search into words. Blanks within quotes are part of one.
func split(text string) ([]string, error) {
	var (
		words  []string
		word   strings.Builder
		quoted bool
	)

	for _, r := range text + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ' ' && !quoted:
			if word.Len() > 0 {
				words = append(words, word.String())
			}

			word.Reset()
		default:
			word.WriteRune(r)
		}
	}

	if quoted {
		return nil, errors.New(`a " has no second one`)
	}

	return words, nil
}

// condition reads a word: a key, what compares, and a value; or a text to be found.
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
			return nil, fmt.Errorf("%s: %s is not a number of a trace; these are: %s", word, key, strings.Join(measureNames(), ", "))
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

// anywhere finds text in what a person sees of a trace.
func anywhere(word string) func(*tree.Tree) bool {
	part := strings.ToLower(word)

	return func(t *tree.Tree) bool {
		return strings.HasPrefix(t.Trace.ID.String(), part) || anySpan(t.Trace, func(s *spans.Span) bool {
			return contains(s.Name, part) || contains(s.Service, part) || strings.HasPrefix(s.SpanID.String(), part) ||
				s.Failed() && contains(tree.ErrorText(s), part)
		})
	}
}

// texts are keys whose values are compared as a person would: in any letter case.
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

// state is what a trace may be.
func state(word, value string) (func(*tree.Tree) bool, error) {
	switch strings.ToLower(value) {
	case "waiting", "stuck", "unconsumed":
		return func(t *tree.Tree) bool { count, _ := t.Waiting(); return count > 0 }, nil
	case "error", "failed":
		return func(t *tree.Tree) bool { return t.Trace.Errors() > 0 }, nil
	case "retry", "retried":
		return func(t *tree.Tree) bool { return attempts(t) > 1 }, nil
	case "dead":
		return anySpanHolds(func(s *spans.Span) bool { count, _, _ := messaging.DeadLetters(s); return count > 0 }), nil
	default:
		return nil, fmt.Errorf("%s: is: goes with waiting, error, retry or dead", word)
	}
}

// since is about when a trace began, not when it came.
func since(word, value string) (func(*tree.Tree) bool, error) {
	if d, err := time.ParseDuration(value); err == nil {
		from := time.Now().Add(-d)

		return func(t *tree.Tree) bool { start, _ := t.Trace.Bounds(); return start.After(from) }, nil
	}

	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if from, err := time.ParseInLocation(layout, value, time.Local); err == nil { //nolint:gosmopolitan // People read their own clocks.
			return func(t *tree.Tree) bool { start, _ := t.Trace.Bounds(); return !start.Before(from) }, nil
		}
	}

	return nil, fmt.Errorf("%s: since: goes with a duration such as 10m, or a time such as 2026-03-01T09:30", word)
}

// measure is a number of a trace.
type measure struct {
	of       func(*tree.Tree) float64
	duration bool
}

var measures = map[string]measure{
	"duration": {func(t *tree.Tree) float64 { return float64(t.Trace.Duration()) }, true},
	"waited":   {longestWait, true},
	"attempt":  {func(t *tree.Tree) float64 { return float64(attempts(t)) }, false},
	"spans":    {func(t *tree.Tree) float64 { return float64(len(t.Trace.Spans)) }, false},
	"errors":   {func(t *tree.Tree) float64 { return float64(t.Trace.Errors()) }, false},
}

func measureNames() []string {
	return []string{"duration", "waited", "attempt", "spans", "errors"}
}

// longestWait counts a message that still waits.
func longestWait(t *tree.Tree) float64 {
	longest := time.Duration(0)

	for _, n := range t.Order {
		if n.Wait != nil {
			longest = max(longest, n.Wait.Duration())
		}

		if n.Waiting != nil {
			longest = max(longest, n.Waiting.For)
		}
	}

	return float64(longest)
}

func attempts(t *tree.Tree) int {
	most := 0
	for _, n := range t.Order {
		most = max(most, n.Attempt)
	}

	return most
}

func measured(m measure, word, compare, value string) (func(*tree.Tree) bool, error) {
	wanted, err := strconv.ParseFloat(value, 64)
	if m.duration {
		var d time.Duration

		d, err = time.ParseDuration(value)
		wanted = float64(d)
	}

	if err != nil {
		return nil, fmt.Errorf("%s: %q is not %s", word, value, map[bool]string{true: "a duration such as 500ms or 2s", false: "a number"}[m.duration])
	}

	return func(t *tree.Tree) bool { return compared(m.of(t), compare, wanted) }, nil
}

func numberAttribute(key, word, compare, value string) (func(*tree.Tree) bool, error) {
	wanted, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is not a number", word, value)
	}

	return anySpanHolds(func(s *spans.Span) bool {
		n, ok := s.Attributes.Number(key)

		return ok && compared(n, compare, wanted)
	}), nil
}

func compared(a float64, compare string, b float64) bool {
	switch compare {
	case ">":
		return a > b
	case ">=":
		return a >= b
	case "<":
		return a < b
	case "<=":
		return a <= b
	default:
		return a == b
	}
}

// Order sorts summaries by a column: name, service, start, duration, waited, spans or
// errors, the largest first, or, with ascending, the smallest. Any other column leaves
// the order in which the traces came.
func Order(list []tree.Summary, column string, ascending bool) {
	compare, ok := map[string]func(a, b *tree.Summary) int{
		"name":     func(a, b *tree.Summary) int { return -strings.Compare(a.Name, b.Name) },
		"service":  func(a, b *tree.Summary) int { return -strings.Compare(a.Service, b.Service) },
		"start":    func(a, b *tree.Summary) int { return a.Start.Compare(b.Start) },
		"duration": func(a, b *tree.Summary) int { return int(min(max(a.Duration-b.Duration, -1), 1)) },
		"waited":   func(a, b *tree.Summary) int { return int(min(max(a.Waited-b.Waited, -1), 1)) },
		"spans":    func(a, b *tree.Summary) int { return a.Spans - b.Spans },
		"errors":   func(a, b *tree.Summary) int { return a.Errors - b.Errors },
	}[column]
	if !ok {
		return
	}

	slices.SortStableFunc(list, func(a, b tree.Summary) int {
		if ascending {
			return compare(&a, &b)
		}

		return compare(&b, &a)
	})
}
