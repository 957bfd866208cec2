package amqptrace_test

import (
	"maps"
	"testing"
)

// span is an expected span. In its strings X, Q and D stand for the scene's names.
type span struct {
	name, kind string
	parent     string   // "caller", "none", a message's id, or the name of an earlier span
	links      []string // likewise
	attributes string   // except for those on every span of the operation
	failed     bool
}

// operation is something that a program does with a message, and the telemetry that is
// expected.
type operation struct {
	run    func(s *scene)
	spans  []span
	points []string
}

func TestEveryOperationAndOutcome(t *testing.T) {
	tests := publishOutcomes()
	maps.Copy(tests, consumeOutcomes())
	maps.Copy(tests, startedOutcomes())
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			onURLs(t, func(t *testing.T, url string) {
				s := newScene(t, url)
				tt.run(s)
				s.caller.End()
				s.checkSpans(tt.spans)
				s.checkPoints(tt.points)
			})
		})
	}
}
