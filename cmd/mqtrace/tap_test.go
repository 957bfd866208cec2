package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/trace"

	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/firehosetest"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// The firehose is off again if, and only if, the tap has turned it on.
func TestTapTurnsOn(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		args := []string{"-amqp", s.URL, "-turn-on", "-interval", "20ms"}
		if s.InProcess != nil {
			args = append(args, "-management", managementOf(t, s))
		}
		for _, before := range []bool{false, true} {
			s.Trace(t, before)
			p := startTap(t, args...)
			p.await("seen 0")
			if !firehoseOn(t, s.URL) {
				t.Error("it is off while the tap runs")
			}
			if r := p.end(); r.code != 0 {
				t.Errorf("exit code %d, %s", r.code, r.stderr)
			}
			if after := firehoseOn(t, s.URL); after != before {
				t.Errorf("it is on: %v, and was before: %v", after, before)
			}
		}
	})
}

// Of two taps, the first to end leaves the firehose on, whichever turned it on, and the
// last turns it off.
func TestTapLeavesItOnForAnother(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		args := []string{"-amqp", s.URL, "-turn-on", "-interval", "20ms"}
		if s.InProcess != nil {
			args = append(args, "-management", managementOf(t, s))
		}
		for _, first := range []int{0, 1} {
			s.Trace(t, false)
			var taps [2]*tapping
			for i := range taps {
				taps[i] = startTap(t, args...)
				taps[i].await("seen 0")
			}
			r := taps[first].end()
			if r.code != 0 || !strings.Contains(r.stderr, "leaving the firehose on for 1 other tap;") || !firehoseOn(t, s.URL) {
				t.Errorf("exit code %d, %s", r.code, r.stderr)
			}
			if r := taps[1-first].end(); r.code != 0 || !strings.Contains(r.stderr, "turning off") || firehoseOn(t, s.URL) {
				t.Errorf("exit code %d, %s", r.code, r.stderr)
			}
		}
	})
}

// The broker is between two services that know nothing of the tap.
func TestTap(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, true)
		p := startTap(t, "-amqp", s.URL, "-interval", "50ms", "-o", "json")
		p.await("seen 0")
		ch := openChannel(t, s.URL)
		id := order(t, p, ch)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if !p.store.Wait(ctx, id, func(tr spans.Trace) bool { return len(tr.Spans) == 6 }) {
			t.Error("the trace is not complete")
		}
		r := p.end()
		if r.code != 0 {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
		golden(t, "tap.json", r.stdout)
		tr, _ := p.store.Trace(id)
		golden(t, "tap-spans", describe(tr))
	})
}

// describe returns a line for each span, in an order that does not depend on timing.
func describe(tr spans.Trace) string {
	names := map[trace.SpanID]string{}
	for _, s := range tr.Spans {
		names[s.SpanID] = s.Service + ": " + s.Name
	}
	var lines []string
	for _, s := range tr.Spans {
		lines = append(lines, fmt.Sprintf("%s: %s (%s), below %q, %v %q\n", s.Service, s.Name, s.Kind, names[s.ParentID], s.Status.Code, s.Status.Message))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

func TestTapUsage(t *testing.T) {
	for _, args := range [][]string{
		{`argument "x"`, "x"},
		{"must be greater than 0", "-max-rate", "0"},
		{"must not be negative", "-interval", "-1s"},
		{"-amqp is not a valid", "-amqp", "http://u:geheim@h"},
		{"-amqp is not a valid", "-turn-on", "-amqp", "http://u:geheim@h"},
		{"-endpoint is not a valid", "-endpoint", "u:geheim@h:1"},
		{"-endpoint is not a valid", "-endpoint", "http://u:geheim@h:x"},
		{"-management is not a valid", "-turn-on", "-management", "http://u:geheim@h:x"},
		{"-turn-on requires -management", "-turn-on", "-amqp", "amqp://u:geheim@rabbit.example"},
	} {
		r := tool(t, append([]string{"tap"}, args[1:]...)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, args[0]) || strings.Contains(r.stderr, "geheim") {
			t.Errorf("%q: exit code %d, %s", args, r.code, r.stderr)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "://u:geheim@h")
	if r := tool(t, "tap"); r.code != exitUsage || !strings.Contains(r.stderr, "OTEL_EXPORTER_OTLP_ENDPOINT is not") || strings.Contains(r.stderr, "geheim") {
		t.Errorf("exit code %d, %s", r.code, r.stderr)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	fails(t, exitUsage, "not built in", "tap")
}

// An export error is reported once and does not show a password.
func TestTapExportFails(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, true)
		p := startTap(t, "-amqp", s.URL, "-roots", "-interval", "50ms", "-endpoint", "http://user:geheim@127.0.0.1:1/")
		p.await("seen 0")
		ch := openChannel(t, s.URL)
		if err := ch.PublishWithContext(t.Context(), "", "none", false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		p.await("seen 1")
		r := p.end()
		if r.code != 0 || strings.Count(r.stderr, "export spans:") != 1 || !strings.Contains(r.stderr, "failed to export 1") || strings.Contains(r.stderr, "geheim") {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
	})
}

// A tap whose statistics cannot be written ends, and turns the firehose off.
func TestTapEndsWithItsReader(t *testing.T) {
	clearTelemetry(t)
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, false)
		reader, writer := io.Pipe()
		_ = reader.Close()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		run(ctx, []string{"mqtrace", "tap", "-amqp", s.URL, "-turn-on", "-management", managementOf(t, s), "-interval", "50ms"}, io.Discard, writer)
		if ctx.Err() != nil || firehoseOn(t, s.URL) {
			t.Errorf("ended before the timeout: %v, firehose on: %v", ctx.Err() == nil, firehoseOn(t, s.URL))
		}
	})
}

// A broker that blocks publishers does not answer a tap, not even when the tap ends.
func TestTapWhilePublishersAreBlocked(t *testing.T) {
	clearTelemetry(t)
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	b.BlockPublishers("low on memory")
	p := startTap(t, "-amqp", b.URL())
	for len(b.Connections()) == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(hearing)
	p.cancel()
	select {
	case r := <-p.done:
		if r.code != 0 {
			t.Errorf("exit code %d", r.code)
		}
	case <-time.After(patience):
		t.Error("it hangs")
	}
}

func TestTapOff(t *testing.T) {
	firehosetest.Each(t, func(t *testing.T, s firehosetest.Server) {
		s.Trace(t, false)
		p := startTap(t, "-amqp", s.URL, "-for", "300ms", "-interval", "0")
		p.await("rabbitmqctl trace_on -p '" + s.VHost + "'")
		p.await("seen 0")
		if r := <-p.done; r.code != 0 {
			t.Errorf("exit code %d", r.code)
		}
		if s.InProcess == nil {
			return
		}
		// A management API of something else.
		deaf := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "{}") }))
		defer deaf.Close()
		var waits sync.WaitGroup // as parallel processes, because each waits for seconds
		for _, more := range [][]string{nil, {"-for", "1ms"}} {
			cmd := process(t, append([]string{"tap", "-amqp", s.URL, "-turn-on", "-management", deaf.URL}, more...)...)
			waits.Go(func() {
				out, _ := cmd.CombinedOutput()
				if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(string(out), "does it belong to another RabbitMQ?") {
					t.Errorf("%q: exit code %d: %s", more, code, out)
				}
			})
		}
		waits.Wait()
		broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				w.WriteHeader(http.StatusInternalServerError)
			}
			_, _ = fmt.Fprint(w, "{}")
		}))
		defer broken.Close()
		fails(t, exitFailed, "may still be on", "tap", "-amqp", s.URL, "-turn-on", "-management", broken.URL)
		// It was not turned on there, so it need not be turned off.
		unknown := httptest.NewServer(http.NotFoundHandler())
		defer unknown.Close()
		for _, management := range []string{unknown.URL, "http://u:geheim@127.0.0.1:1"} {
			r := tool(t, "tap", "-amqp", s.URL, "-turn-on", "-management", management)
			if r.code != exitFailed || !strings.Contains(r.stderr, "turn the firehose on: ") || strings.Contains(r.stderr, "be on") || strings.Contains(r.stderr, "geheim") {
				t.Errorf("exit code %d, %s", r.code, r.stderr)
			}
		}
		t.Setenv("PATH", t.TempDir())
		if r := tool(t, "tap", "-amqp", s.URL, "-turn-on"); r.code != exitFailed || !strings.Contains(r.stderr, "rabbitmqctl") || strings.Contains(r.stderr, "be on") {
			t.Errorf("without rabbitmqctl: exit code %d, %s", r.code, r.stderr)
		}
	})
}

// A signal turns the firehose off before the process ends, even if nobody reads its output.
func TestTapTurnsOffOnSignals(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	management := managementOf(t, firehosetest.Server{InProcess: b})
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, read := range []bool{true, false} {
			cmd := process(t, "tap", "-amqp", b.URL(), "-turn-on", "-management", management, "-interval", "10ms")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			p := &tapping{t: t, stderr: newTranscript()}
			copied := make(chan struct{})
			go func() {
				defer close(copied)
				_, _ = io.Copy(p.stderr, stderr)
				p.stderr.end()
			}()
			p.await("turning on the firehose of virtual host \"/\"")
			p.await("seen 0")
			if !firehoseOn(t, b.URL()) {
				t.Error("it is off while the tap runs")
			}
			if !read {
				_ = stderr.Close()
				time.Sleep(50 * time.Millisecond) // some statistics are printed in vain
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if read {
				p.await("turning off the firehose")
			}
			<-copied
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v, read %v: %v", sig, read, err)
			}
			if firehoseOn(t, b.URL()) {
				t.Fatalf("%v, read %v: the firehose is still on", sig, read)
			}
		}
	}
}
