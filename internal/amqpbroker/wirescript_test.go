package amqpbroker_test

import (
	"flag"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The wire scripts in testdata/wire specify in AMQP's own terms what a client sends and
// what the server must answer, octet for octet.
//
// A script is a list of scenarios, each begun by "== name". A line is a command, a
// comment that begins with #, or what was received after a command:
//
//	< what                 by connection A, from every release
//	B< what                by connection B
//	3.10,4.0 < what        from these releases of RabbitMQ and no other
//	4.3 B< what
//
// The in-process broker must answer as the last of the [releases] does. By default, a
// command is sent on channel 1 of connection A; a leading B or A/2 or B/2 overrides that.
// $q, $x and other names that start with $q or $x stand for names that nobody else uses;
// $gen, $ctag and $reply for the last one that the server generated.
//
//	open [user=] [password=] [vhost=] [channel-max=] [frame-max=] [heartbeat=] [bare]
//	frame TYPE HEX    a frame on the channel, with that payload
//	raw HEX           octets
//	header CLASS WEIGHT SIZE HEX    a content header with the flags and properties in HEX
//	sleep MS
//	class.method name=value ...    bits by name alone; tables as {name:TYPE:value,...}
//
// What was received is recorded, never written by hand. To add a scenario or a release,
// write the commands, or the release into releases, and run for each release
//
//	MQTRACE_AMQP_URL=amqp://guest:guest@127.0.0.1:5673/ go test -run TestWireScripts -update
//
// which replaces the answers of that release and leaves the others alone. Then read the
// diff: answers that a busy server sent too late are missing from it, and are better
// recorded one scenario at a time (-scenario).
var (
	update       = flag.Bool("update", false, "record the wire scripts from the server at MQTRACE_AMQP_URL")
	onlyScenario = flag.String("scenario", "", "play or record only wire scenarios with this in their names")
)

// releases are the releases of RabbitMQ whose answers are in the scripts.
var releases = []string{"3.10", "4.0", "4.3"}

const (
	patience = 30 * time.Second       // for what is expected
	pace     = 150 * time.Millisecond // for RabbitMQ to act on commands
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
		release := serverRelease(t, server)
		verify := func(t *testing.T, s scenario) { s.verify(newPlay(t, server), release, pace) }
		if serverVersion(t, server) == inProcess {
			verify = func(t *testing.T, s scenario) { s.inOwnTime(t, release) }
		}
		var wait sync.WaitGroup
		defer wait.Wait()
		atOnce := make(chan struct{}, 16) // they mostly sleep
		for _, file := range files {
			for _, s := range readScript(t, file) {
				if !strings.Contains(s.name, *onlyScenario) {
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

// verify plays a script and compares the answers with those of a release. RabbitMQ's queues
// act with a delay: pace is how long to wait after a command without an answer, and before
// repeating a question that was asked too early.
func (s scenario) verify(p *play, release string, pace time.Duration) {
	t := p.t
	defer p.end()
	for i, step := range s.steps {
		p.do(step.command)
		answers := step.answers[release]
		if pace > 0 && len(answers) == 0 && i+1 < len(s.steps) {
			time.Sleep(pace)
		}
		for _, want := range answers {
			got, ok := p.conn(want.conn).next(patience)
			for begun := time.Now(); pace > 0 && early(p.shorten(got), want.what) && time.Since(begun) < patience; {
				time.Sleep(pace)
				p.do(step.command)
				got, ok = p.conn(want.conn).next(patience)
			}
			if !ok {
				t.Fatalf("after %s\nnothing came, want %s", step.command, want)
			}
			if got = p.shorten(got); got != want.what {
				t.Fatalf("after %s\n got %s\nwant %s", step.command, got, want.what)
			}
		}
	}
	for name, c := range p.conns {
		if got, ok := c.next(50 * time.Millisecond); ok && got != "closed" { // when is up to the server
			t.Errorf("%s< %s came too", name, p.shorten(got))
		}
	}
}

// early reports whether RabbitMQ may have given an answer before acting on earlier
// commands. The question may be asked again.
func early(got, want string) bool {
	empty := strings.HasSuffix(got, "basic.get-empty") && strings.Contains(want, "basic.get-ok")
	counted := strings.Contains(got, "queue.declare-ok") && strings.Contains(want, "queue.declare-ok") && got != want
	return empty || counted
}
