package amqpbroker_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// scenario is a self-contained part of a wire script.
type scenario struct {
	name  string
	steps []step
}

// step is a command and its answers.
type step struct {
	comments []string // lines before the command
	command  string
	answers  map[string][]answer // by release
}

// answer is what a connection receives.
type answer struct{ conn, what string }

func (a answer) String() string { return strings.TrimPrefix(a.conn, "A") + "< " + a.what }

var answerLine = regexp.MustCompile(`^(?:([0-9.,]+) )?([AB]?)< (.*)$`)

func readScript(t *testing.T, file string) []scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []scenario
	var comments []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, scenario{name: name})
			continue
		}
		steps := &all[len(all)-1].steps
		m := answerLine.FindStringSubmatch(line)
		switch {
		case m != nil:
			from := releases
			if m[1] != "" {
				from = strings.Split(m[1], ",")
			}
			last := (*steps)[len(*steps)-1]
			for _, release := range from {
				if !slices.Contains(releases, release) {
					t.Fatalf("%s: no release %s: %s", file, release, line)
				}
				last.answers[release] = append(last.answers[release], answer{orA(m[2]), m[3]})
			}
		case line == "" || strings.HasPrefix(line, "#"):
			comments = append(comments, line)
		default:
			*steps = append(*steps, step{comments, line, map[string][]answer{}})
			comments = nil
		}
	}
	return all
}

func orA(conn string) string {
	if conn == "" {
		return "A"
	}
	return conn
}

// String writes a scenario as readScript reads it.
func (s scenario) String() string {
	lines := []string{"== " + s.name}
	for _, step := range s.steps {
		lines = append(lines, step.comments...)
		lines = append(lines, step.command)
		lines = append(lines, step.answerLines()...)
	}
	return strings.Join(lines, "\n") + "\n"
}

// answerLines merges answers that are the same in several releases.
func (s step) answerLines() []string {
	var lines []string
	done := map[string]bool{}
	for _, release := range releases {
		if done[release] {
			continue
		}
		var alike []string
		for _, other := range releases {
			if slices.Equal(s.answers[release], s.answers[other]) {
				alike = append(alike, other)
				done[other] = true
			}
		}
		mark := ""
		if len(alike) < len(releases) {
			mark = strings.Join(alike, ",") + " "
		}
		for _, a := range s.answers[release] {
			lines = append(lines, mark+a.String())
		}
	}
	return lines
}
