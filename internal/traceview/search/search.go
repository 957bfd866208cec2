package search

import (
	"errors"
	"strings"

	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

// Search is a search as a person typed it. All of its terms have to hold.
type Search struct {
	terms []term
}

// term is a condition on a trace.
type term struct {
	not   bool
	holds func(*tree.Tree) bool
}

// Parse parses a search. Its error says which word is wrong, and what would be valid.
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

// Matches reports whether the trace satisfies the search.
func (s Search) Matches(t *tree.Tree) bool {
	for _, term := range s.terms {
		if term.holds(t) == term.not {
			return false
		}
	}

	return true
}

// split breaks a search into words. Blanks within quotes belong to a word.
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
		return nil, errors.New(`a " is not closed`)
	}

	return words, nil
}
