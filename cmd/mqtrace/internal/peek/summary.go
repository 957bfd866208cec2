package peek

import (
	"cmp"
	"slices"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
)

// Summary counts what was shown.
type Summary struct {
	Shown int `json:"shown"`
	// Total is how many messages there were, Limit how many were asked for.
	Total int `json:"total"`
	Limit int `json:"limit"`

	WithContext    int `json:"with_context"`
	Sampled        int `json:"sampled"`
	WithoutContext int `json:"without_context"`
	BadContext     int `json:"bad_context"`

	// Oldest is the greatest age, nil if no age is known.
	Oldest     *float64 `json:"oldest_age_seconds"`
	UnknownAge int      `json:"unknown_age"`
	// Producers has the most frequent producer first.
	Producers []Producer `json:"by_producer"`

	index map[string]int
	grew  bool // there were more messages than were counted, and may be still more
}

// Producer counts the messages of one producer.
type Producer struct {
	Name           string `json:"producer"`
	Messages       int    `json:"messages"`
	WithoutContext int    `json:"without_context"` // or with a bad one
}

// maxProducers bounds the memory: a name may be different in each message.
const maxProducers = 1000

// otherProducers stands for the producers beyond maxProducers.
const otherProducers = "(others)"

// NewSummary returns the summary of a source before anything is read.
func NewSummary(limit, total int) *Summary {
	return &Summary{Total: total, Limit: limit, Producers: []Producer{}, index: make(map[string]int)}
}

// Add counts a message.
func (s *Summary) Add(m *Message) {
	s.Shown++
	p := s.producer(m.Producer)
	p.Messages++
	switch m.Context {
	case tracecontext.OK:
		s.WithContext++
		if *m.Sampled {
			s.Sampled++
		}
	case tracecontext.Bad:
		s.BadContext++
		p.WithoutContext++
	case tracecontext.None:
		s.WithoutContext++
		p.WithoutContext++
	}
	switch {
	case m.Age == nil:
		s.UnknownAge++
	case s.Oldest == nil || *m.Age > *s.Oldest:
		s.Oldest = m.Age
	}
}

func (s *Summary) producer(name string) *Producer {
	i, ok := s.index[name]
	if !ok && len(s.Producers) >= maxProducers {
		name = otherProducers
		i, ok = s.index[name]
	}
	if !ok {
		i = len(s.Producers)
		s.index[name] = i
		s.Producers = append(s.Producers, Producer{Name: name})
	}
	return &s.Producers[i]
}

// finish sorts the producers. Nothing can be added after it.
func (s *Summary) finish() {
	s.grew = s.Shown > s.Total
	s.Total = max(s.Total, s.Shown)
	slices.SortStableFunc(s.Producers, func(a, b Producer) int {
		return cmp.Or(b.Messages-a.Messages, cmp.Compare(a.Name, b.Name))
	})
	s.index = nil
}
