package amqpbroker_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The wire scripts in testdata/wire say in AMQP's own terms what a client sends
// and what the server must answer, octet for octet: every line that starts with <
// was recorded from RabbitMQ, never written by hand.
//
//	go test -run TestWireScripts -update  # with MQTRACE_AMQP_URL set, records anew
//
// A script is a list of scenarios, each begun by "== name". A name that ends in
// "(RabbitMQ 3)" or "(RabbitMQ 4)" says that the versions differ and that this one
// answers so, and with "and here" that the in-process broker does too. What version 4
// does was read in its source, all else was recorded from 3.10. A line is a command,
// or "< what was received" after it. By default a command goes out on channel 1 of
// connection A; a leading B or A/2 or B/2 says otherwise, and such a word stands
// before the < too. $q, $x and other names that start with $q or $x stand for
// names nobody else uses; $gen, $ctag and $reply for the last one the server made.
//
//	open [user=] [password=] [vhost=] [channel-max=] [frame-max=] [heartbeat=] [bare]
//	frame TYPE HEX    a frame on the channel, with that payload
//	raw HEX           octets
//	header CLASS WEIGHT SIZE HEX    a content header with the flags and properties in HEX
//	sleep MS
//	class.method name=value ...    bits by name alone; tables as {name:TYPE:value,...}
var update = flag.Bool("update", false, "record the wire scripts from the server at MQTRACE_AMQP_URL")

const (
	patience = 30 * time.Second       // for what is expected
	settle   = 150 * time.Millisecond // for what is not, when recording
)

func TestWireScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/wire/*.amqp")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if *update {
		for _, file := range files {
			record(t, file, realURL(t))
		}
		return
	}
	eachServer(t, func(t *testing.T, server string) {
		version := serverVersion(t, server)
		verify := func(t *testing.T, s scenario) { s.verify(newPlay(t, server), 150*time.Millisecond) }
		if version == inProcess {
			verify = func(t *testing.T, s scenario) { s.inOwnTime(t) }
		}
		var wait sync.WaitGroup
		defer wait.Wait()
		atOnce := make(chan struct{}, 16) // they mostly wait
		for _, file := range files {
			for _, s := range readScript(t, file) {
				if !s.holdsFor(version) {
					continue
				}
				atOnce <- struct{}{}
				wait.Go(func() {
					defer func() { <-atOnce }()
					t.Run(strings.TrimSuffix(filepath.Base(file), ".amqp")+"/"+s.name, func(t *testing.T) {
						verify(t, s)
					})
				})
			}
		}
	})
}

type scenario struct {
	name  string
	lines []string
}

// holdsFor tells whether a server of that version is to answer as the scenario says.
func (s scenario) holdsFor(version string) bool {
	_, of, only := strings.Cut(s.name, "(RabbitMQ ")
	if version == inProcess {
		return !only || strings.HasSuffix(of, ", and here)")
	}
	return !only || version[0] == of[0]
}

func readScript(t *testing.T, file string) []scenario {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []scenario
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, scenario{name: name})
			continue
		}
		if len(all) > 0 {
			all[len(all)-1].lines = append(all[len(all)-1].lines, line)
		}
	}
	return all
}

// received splits a line that says what must come: from which connection, and what.
func received(line string) (conn, what string, ok bool) {
	conn, what, ok = strings.Cut(line, "< ")
	if !ok || len(conn) > 1 {
		return "", "", false
	}
	if conn == "" {
		conn = "A"
	}
	return conn, what, true
}

func command(line string) bool {
	_, _, answer := received(line)
	return !answer && line != "" && !strings.HasPrefix(line, "#")
}

// verify plays a script and compares. RabbitMQ's queues act a moment after they
// are told to: pace is how long to wait after what has no answer, and before what was
// asked too early is asked again.
func (s scenario) verify(p *play, pace time.Duration) {
	t := p.t
	defer p.end()
	last := ""
	for i, line := range s.lines {
		if command(line) {
			p.do(line)
			last = line
			if pace > 0 && i+1 < len(s.lines) && command(s.lines[i+1]) {
				time.Sleep(pace)
			}
			continue
		}
		conn, want, ok := received(line)
		if !ok {
			continue
		}
		got, ok := p.conn(conn).next(patience)
		for begun := time.Now(); pace > 0 && early(p.shorten(got), want) && time.Since(begun) < patience; {
			time.Sleep(pace)
			p.do(last)
			got, ok = p.conn(conn).next(patience)
		}
		if !ok {
			t.Fatalf("nothing came, want %s", line)
		}
		if got = p.shorten(got); got != want {
			t.Fatalf("\n got %s\nwant %s", got, want)
		}
	}
	for name, c := range p.conns {
		if got, ok := c.next(50 * time.Millisecond); ok && got != "closed" { // when is up to the server
			t.Errorf("%s< %s came too", name, p.shorten(got))
		}
	}
}

// record plays a script and writes it back with what came.
func record(t *testing.T, file, server string) {
	scenarios := readScript(t, file)
	texts := make([]string, len(scenarios))
	var wait sync.WaitGroup
	atOnce := make(chan struct{}, 12)
	for i, s := range scenarios {
		wait.Go(func() {
			atOnce <- struct{}{}
			defer func() { <-atOnce }()
			texts[i] = s.record(t, server)
		})
	}
	wait.Wait()
	if err := os.WriteFile(file, []byte(strings.Join(texts, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s scenario) record(t *testing.T, server string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "== %s\n", s.name)
	if !s.holdsFor(serverVersion(t, server)) {
		return out.String() + strings.Join(s.lines, "\n") + "\n"
	}
	p := newPlay(t, server)
	defer p.end()
	for _, line := range s.lines {
		if _, _, answer := received(line); answer {
			continue
		}
		fmt.Fprintln(&out, line)
		if !command(line) {
			continue
		}
		p.do(line)
		for _, name := range []string{"A", "B"} {
			c, ok := p.conns[name]
			for ok {
				var got string
				if got, ok = c.next(settle); ok {
					fmt.Fprintf(&out, "%s< %s\n", strings.TrimPrefix(name, "A"), p.shorten(got))
				}
			}
		}
	}
	return out.String()
}

// early tells whether an answer is one that RabbitMQ gives before it has come to what it
// was told. The question may be asked again.
func early(got, want string) bool {
	empty := strings.HasSuffix(got, "basic.get-empty") && strings.Contains(want, "basic.get-ok")
	counted := strings.Contains(got, "queue.declare-ok") && strings.Contains(want, "queue.declare-ok") && got != want
	return empty || counted
}
