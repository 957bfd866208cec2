package search_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/search"
	"github.com/mqtrace/mqtrace/internal/traceview/tree"
)

func TestSearch(t *testing.T) {
	order := tree.New(sample.Order()) // 1.5 s, waits of 0.3 s and 1 s, two attempts, an SMTP error
	order.MarkWaiting(time.Now(), tree.Elsewhere{})

	for text, want := range map[string]bool{
		"":                         true,
		"waited>1s":                true,
		"waited>1.1s":              false,
		"duration>500ms":           true,
		"duration<=500ms":          false,
		"error:SMTP":               true,
		"error:mailbox":            false,
		"attempt>1":                true,
		"attempt>2":                false,
		"queue=emails":             true,
		"QUEUE=Emails":             true,
		"-queue=emails":            false,
		"queue:audit":              false,
		"service=Email-Worker":     true,
		"tenant.id=acme":           true,
		"tenant.id=globex":         false,
		"-tenant.id=globex":        true,
		"post":                     true,
		`"post /orders"`:           true,
		"4bf92f35":                 true,
		"again":                    true, // in an error's text
		"is:retry is:error":        true,
		"is:waiting":               false,
		"-is:waiting":              true,
		"is:scheduled":             false,
		"waiting=emails":           false,
		"spans>=10 errors=1":       true,
		"asynq.task.retry_count>0": true,
		"since:2020-01-01":         true,
		"waited>1s duration>500ms error:mailbox attempt>2 -queue=emails": false,
	} {
		s, err := search.Parse(text)
		if err != nil || s.Matches(order) != want {
			t.Errorf("%s: %v, want %v (%v)", text, !want, want, err)
		}
	}

	for text, hint := range map[string]string{
		"waited>soon":  "a duration such as",
		"duratoin>1s":  "keys are: duration, waited",
		"attempt>x":    "not a number",
		"is:nonsense":  "waiting, scheduled",
		"since:monday": "a duration such as 10m",
		`"open`:        "not closed",
	} {
		if _, err := search.Parse(text); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOrder(t *testing.T) {
	list := []tree.Summary{{Name: "b", Waited: 1, Start: time.Unix(2, 0)}, {Name: "a", Waited: 3, Start: time.Unix(1, 0)}}
	for column, first := range map[string]string{"waited": "a", "start": "b", "name": "a", "": "b"} {
		sorted := append([]tree.Summary{}, list...)
		search.Order(sorted, column, false)

		if sorted[0].Name != first {
			t.Errorf("%q: %+v", column, sorted)
		}
	}
}
