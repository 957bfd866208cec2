package integration_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
)

// served is the example run with -serve, and what it prints at the start.
type served struct {
	*program

	orders, page string
	// env is what another process needs to take part.
	env []string
}

func startServe(t *testing.T, env []string, args ...string) *served {
	t.Helper()
	s := &served{program: start(t, append([]string{"HTTP_ADDR=127.0.0.1:0"}, env...), append([]string{"-serve"}, args...)...)}
	greeting := regexp.MustCompile(`(?s)Their traces:\s+(http://\S+)\s.*curl -i (http://\S+)/orders.* peek asynq \S+\n`)
	eventually(t, "the page and the curl line are there", func() bool {
		found := greeting.FindStringSubmatch(s.stdout.String())
		if found != nil {
			s.page, s.orders = found[1], found[2]
		}
		return found != nil
	})
	return s
}

// get requests a page, as a browser does.
func (s *served) get(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.page+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := httpClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := startServe(t, []string{"VIEW_ADDR=127.0.0.1:0"})
	r := post(t, s.orders, orderOf("customer@example.com", "tok_ok", "tea"), "X-Tenant-ID", "acme")
	eventually(t, "the trace is printed, with its link", func() bool {
		// A trace is printed when it has not grown for a while, and again if it goes on.
		out := s.stdout.String()
		whole := func(printed string) bool {
			tree, _, _ := strings.Cut(printed, "log lines")
			return strings.Contains(tree, "POST /orders") && strings.Contains(tree, "process emails")
		}
		return slices.ContainsFunc(strings.Split(out, "trace "+r.traceID), whole) &&
			strings.Contains(out, s.page+"/#/trace/"+r.traceID)
	})
	if body := s.get(t, "/"); !strings.Contains(body, "<title>mqtrace</title>") {
		t.Errorf("the page is %s", body)
	}
	if list := s.get(t, "/api/traces"); !strings.Contains(list, r.traceID) {
		t.Errorf("the trace is not on the page: %s", list)
	}
	if out := s.stdout.String(); strings.Contains(out, "Not running here") {
		t.Errorf("the output lists services that do not run: %s", out)
	}
	s.terminate(t)
}

// The README's walkthrough with port 4318 in use: without its worker the queue grows; the
// worker comes back as a separate process, with only the variables that -serve prints.
func TestServeWithoutTheWorker(t *testing.T) {
	t.Parallel()
	const usual = "127.0.0.1:4318"
	if l, err := net.Listen("tcp", usual); err == nil { // otherwise it is in use already
		stranger := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: stopLimit}
		go func() { _ = stranger.Serve(l) }()
		t.Cleanup(func() { _ = stranger.Close() })
	}
	s := startServe(t, nil, "-without", "email")
	if s.page == "http://"+usual {
		t.Fatalf("the page is at %s, which is taken", s.page)
	}
	var run string
	eventually(t, "the worker's command is there", func() bool {
		run = between(s.stdout.String(), "Ctrl-C as often as you like:\n\n  ", "\n")
		return strings.HasSuffix(run, "go run ./examples/order-notification -run email")
	})
	if want := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=" + s.page + "/v1/traces "; !strings.Contains(run, want) {
		t.Errorf("the worker's command is %q, which has no %s", run, want)
	}
	s.env = strings.Fields(strings.TrimSuffix(run, "go run ./examples/order-notification -run email"))
	redis := "127.0.0.1:6379"
	for _, pair := range s.env {
		if value, ok := strings.CutPrefix(pair, "MQTRACE_REDIS_ADDR="); ok {
			redis = value
		}
	}
	r := post(t, s.orders, orderOf("flaky@example.com", "tok_ok", "tea"))
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: redis})
	defer inspector.Close()
	eventually(t, "the email waits in its queue", func() bool {
		waiting, err := inspector.ListPendingTasks("emails")
		return err == nil && len(waiting) == 1
	})

	worker := start(t, append(s.env, "HTTP_ADDR=127.0.0.1:0"), "-run", "email")
	eventually(t, "both attempts are on the page", func() bool {
		var trace struct {
			Rows []struct {
				Service string
				Wait    *struct{ Text string }
			}
		}
		if err := json.Unmarshal([]byte(s.get(t, "/api/traces/"+r.traceID+"/waterfall")), &trace); err != nil {
			t.Fatal(err)
		}
		var seen []string
		for _, row := range trace.Rows {
			if row.Service == "email-worker" && row.Wait != nil {
				seen = append(seen, row.Wait.Text)
			}
		}
		return strings.Join(seen, ", ") == "waited in emails, retried after"
	})
	worker.terminate(t)
	s.terminate(t)
}

func TestServeUsage(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"notification or email":    {"-serve", "-without", "order"},
		"-without requires -serve": {"-without", "email"},
	} {
		if p, code := finish(t, errorLimit, nil, args...); code != 2 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%v: exit code %d: %s", args, code, p.stderr)
		}
	}
	for want, env := range map[string]string{
		"EMAIL_RETRY_DELAY=soon": "EMAIL_RETRY_DELAY=soon",
		"256.0.0.1":              "VIEW_ADDR=256.0.0.1:0",
	} {
		if p, code := finish(t, errorLimit, []string{env, "HTTP_ADDR=127.0.0.1:0"}, "-serve"); code != 1 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%s: exit code %d: %s", env, code, p.stderr)
		}
	}
}
