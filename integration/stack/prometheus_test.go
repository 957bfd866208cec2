//go:build stack

package stack_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// prometheus is a Prometheus configured by deploy/prometheus and docker-compose.yaml.
type prometheus struct {
	*program

	url string
}

// packaged returns the Prometheus of integration/servers.sh, if it has been built.
func packaged() (command []string, ok bool) {
	command = []string{"../servers.sh", "exec", "current", "/usr/bin/prometheus"}
	return command, exec.Command(command[0], append(command[1:], "--version")...).Run() == nil
}

// startPrometheus starts a Prometheus that scrapes more often than deploy/prometheus says,
// with the given addresses in place of collector:8889 and the like.
func startPrometheus(t *testing.T, command []string, targets map[string]string) *prometheus {
	t.Helper()
	dir := t.TempDir() // in /tmp, because programs of integration/servers.sh cannot see this directory
	config := read(t, "../../deploy/prometheus/prometheus.yml")
	changes := map[string]string{
		"/etc/prometheus/rules/*.yml": dir + "/alerts.yml",
		"scrape_interval: 15s":        "scrape_interval: 1s",
		"evaluation_interval: 15s":    "evaluation_interval: 1s",
	}
	for _, target := range []string{"collector:8889", "collector:8888", "rabbitmq:15692"} {
		changes[target] = cmp.Or(targets[target], "127.0.0.1:1") // nothing listens there
	}
	for is, becomes := range changes {
		if !strings.Contains(config, is) {
			t.Fatalf("prometheus.yml does not say %q", is)
		}
		config = strings.ReplaceAll(config, is, becomes)
	}
	write(t, dir+"/prometheus.yml", config)
	write(t, dir+"/alerts.yml", read(t, "../../deploy/prometheus/alerts.yml"))

	addr := freeAddr(t)
	args := slices.Concat(command[1:], []string{
		"--config.file=" + dir + "/prometheus.yml", "--storage.tsdb.path=" + dir + "/data", "--web.listen-address=" + addr,
	}, prometheusFlags(t, command))
	p := &prometheus{program: run(t, "prometheus", command[0], nil, args...), url: "http://" + addr}
	p.answers(t, p.url+"/-/ready")
	return p
}

// prometheusFlags returns the flags of docker-compose.yaml that enable features, as far as
// the binary knows them: Debian's has no OTLP receiver.
func prometheusFlags(t *testing.T, command []string) (flags []string) {
	t.Helper()
	help, _ := exec.Command(command[0], append(command[1:], "--help")...).CombinedOutput()
	all := regexp.MustCompile(`--(enable-feature|web)([a-z.=-]+)`).FindAllStringSubmatch(read(t, "../../docker-compose.yaml"), -1)
	if len(all) < 2 {
		t.Fatalf("docker-compose.yaml has the flags %q", all)
	}
	for _, flag := range all {
		if flag[1] == "enable-feature" || strings.Contains(string(help), flag[1]+flag[2]) {
			flags = append(flags, flag[0])
		}
	}
	return flags
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// get decodes the data of an answer of Prometheus's API. An invalid query fails the test.
func (p *prometheus) get(t *testing.T, path string, form url.Values, data any) {
	t.Helper()
	response, err := http.Get(p.url + "/api/v1/" + path + "?" + form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: data}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("%s %v: %v", path, form, err)
	}
	if answer.Status != "success" {
		t.Fatalf("%s %v: %s", path, form, answer.Error)
	}
}

func (p *prometheus) version(t *testing.T) string {
	t.Helper()
	var build struct{ Version string }
	p.get(t, "status/buildinfo", nil, &build)
	return build.Version
}

// ask returns the labels of the series that a query currently returns.
func (p *prometheus) ask(t *testing.T, query string) (series []map[string]string) {
	t.Helper()
	var answer struct {
		Result []struct{ Metric map[string]string }
	}
	p.get(t, "query", url.Values{"query": {query}}, &answer)
	for _, result := range answer.Result {
		series = append(series, result.Metric)
	}
	return series
}

// awaitSeries waits until each query returns a series, and reports those that return none.
func (p *prometheus) awaitSeries(t *testing.T, queries []string) {
	t.Helper()
	missing := slices.Clone(queries)
	for late := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		missing = slices.DeleteFunc(missing, func(query string) bool { return len(p.ask(t, query)) > 0 })
		if len(missing) == 0 {
			return
		}
		if time.Now().After(late) {
			break
		}
	}
	for _, query := range missing {
		t.Errorf("no series for %s", query)
	}
}

// parts returns queries that must all return a series: each selector in query, with a value
// for each label that its series are grouped by. The query as a whole may return a series
// even if a metric in it does not exist, as absent(x) or x or vector(0) does.
func (p *prometheus) parts(t *testing.T, query string) []string {
	t.Helper()
	var tree any
	p.get(t, "parse_query", url.Values{"query": {query}}, &tree)
	return selectors(tree, nil)
}

// selectors walks through the syntax tree of a query.
func selectors(tree any, grouped []string) (found []string) {
	switch node := tree.(type) {
	case []any:
		for _, child := range node {
			found = append(found, selectors(child, grouped)...)
		}
	case map[string]any:
		switch node["type"] {
		case "aggregation":
			labels, _ := node["grouping"].([]any)
			grouped = slices.Clone(grouped)
			for _, label := range labels {
				grouped = append(grouped, label.(string))
			}
		case "vectorSelector", "matrixSelector":
			var matchers []string
			for _, m := range node["matchers"].([]any) {
				matcher := m.(map[string]any)
				matchers = append(matchers, fmt.Sprint(matcher["name"], matcher["type"], strconv.Quote(matcher["value"].(string))))
			}
			for _, label := range grouped {
				matchers = append(matchers, label+`!=""`)
			}
			return []string{"{" + strings.Join(matchers, ",") + "}"}
		}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			found = append(found, selectors(node[key], grouped)...)
		}
	}
	return found
}

// filledIn returns a query as Grafana sends it.
func filledIn(query string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$system", ".*", "$destination", ".*",
		"$$__tags", `service_name="`+measured+`"`).Replace(query)
}

// dashboardQueries returns the queries of the dashboard's panels and variables, and those
// of the links from a span to its metrics.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Datasource struct{ Type string }
			Targets    []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Query struct{ Query string } }
		}
	}
	text := read(t, "../../deploy/grafana/dashboards/messaging.json")
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			if panel.Datasource.Type == "prometheus" {
				queries = append(queries, filledIn(target.Expr))
			}
		}
	}
	for _, variable := range dashboard.Templating.List {
		// label_values(SELECTOR, LABEL) is Grafana's own.
		m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(variable.Query.Query)
		if m == nil {
			t.Fatalf("the variable's query has an unknown form: %q", variable.Query.Query)
		}
		queries = append(queries, fmt.Sprintf("count by (%s) (%s)", m[2], filledIn(m[1])))
	}
	sources := read(t, "../../deploy/grafana/provisioning/datasources/datasources.yaml")
	spans := regexp.MustCompile(`query: (sum.*)`).FindStringSubmatch(sources)
	if spans == nil || !strings.Contains(sources, "value: service_name\n") || len(queries) < 10 {
		t.Fatalf("the data sources or the dashboard have changed: %q", queries)
	}
	return append(queries, filledIn(spans[1]))
}

// alertQueries returns the queries of the alerts that Prometheus has loaded, without their
// comparisons. Each alert has to be healthy.
func (p *prometheus) alertQueries(t *testing.T) (queries []string) {
	t.Helper()
	type rule struct{ Name, Query, Health, LastError string }
	var answer struct {
		Groups []struct{ Rules []rule }
	}
	eventually(t, "the alerts were looked at", func() bool {
		p.get(t, "rules", nil, &answer)
		return len(answer.Groups) == 1 && !slices.ContainsFunc(answer.Groups[0].Rules,
			func(r rule) bool { return r.Health == "unknown" })
	})
	for _, r := range answer.Groups[0].Rules {
		if r.Health != "ok" {
			t.Errorf("%s: %s", r.Name, r.LastError)
		}
		i := strings.LastIndex(r.Query, ">")
		if i < 0 {
			t.Fatalf("%s has no comparison: %s", r.Name, r.Query)
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(r.Query[i+1:]), 64); err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		queries = append(queries, strings.TrimSpace(r.Query[:i]))
	}
	return queries
}

// checkQueries runs all queries to the Prometheus of docker-compose.yaml, or only those
// about our metrics.
func (p *prometheus) checkQueries(t *testing.T, rabbitMQ bool) {
	t.Helper()
	var all []string
	for _, query := range append(dashboardQueries(t), p.alertQueries(t)...) {
		parts := p.parts(t, query)
		if len(parts) == 0 {
			t.Errorf("%s selects no series", query)
		}
		if rabbitMQ || !strings.Contains(query, "rabbitmq_global_") {
			all = append(append(all, query), parts...)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	t.Logf("%d queries", len(all))
	p.awaitSeries(t, all)
}

// checkLabels checks the labels that distinguish one service's series from another's.
func (p *prometheus) checkLabels(t *testing.T) {
	t.Helper()
	series := p.ask(t, "messaging_process_duration_seconds_count")
	if len(series) == 0 {
		t.Fatal("there are no series")
	}
	for _, labels := range series {
		for label, want := range map[string]string{
			"job": namespace + "/" + measured, "instance": instance, "service_name": measured,
			"service_namespace": namespace, "service_version": version, "deployment_environment_name": environment,
		} {
			if labels[label] != want {
				t.Errorf("%s is %q, want %q: %v", label, labels[label], want, labels)
			}
		}
		for label := range labels {
			if strings.HasPrefix(label, "telemetry_") || strings.HasPrefix(label, "process_") {
				t.Errorf("each series has %s: %v", label, labels)
			}
		}
	}
	p.awaitSeries(t, []string{fmt.Sprintf("target_info{job=%q, instance=%q, telemetry_sdk_language=\"go\"}", namespace+"/"+measured, instance)})
}

// checkExemplars expects a link from a point of a histogram to a trace.
func (p *prometheus) checkExemplars(t *testing.T) {
	t.Helper()
	for _, name := range []string{"messaging_process_duration_seconds_bucket", "mqtrace_queue_time_seconds_bucket"} {
		eventually(t, name+" has exemplars", func() bool {
			var answer []struct {
				Exemplars []struct{ Labels map[string]string }
			}
			now := time.Now()
			p.get(t, "query_exemplars", url.Values{"query": {name},
				"start": {itoa(int(now.Add(-time.Hour).Unix()))}, "end": {itoa(int(now.Add(time.Minute).Unix()))}}, &answer)
			return len(answer) > 0 && len(answer[0].Exemplars) > 0 && len(answer[0].Exemplars[0].Labels["trace_id"]) == 32
		})
	}
}

// A service may send its metrics to Prometheus itself.
func TestPrometheusTakesOTLP(t *testing.T) {
	p := startPrometheus(t, []string{built(t, "prometheus")}, nil)
	measure(t, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="+p.url+"/api/v1/otlp/v1/metrics", "OTEL_TRACES_EXPORTER=none")
	p.checkQueries(t, false)
	p.checkLabels(t)
	p.checkExemplars(t)
}

// In docker-compose.yaml it scrapes the Collector, and RabbitMQ.
func TestPrometheusScrapes(t *testing.T) {
	exporter, broker := freeAddr(t), startScrapedRabbitMQ(t)
	c := startCollector(t, "127.0.0.1:1", "TRACES_EXPORTERS=[debug]", "PROMETHEUS_ADDR="+exporter, "METRICS_FLUSH_INTERVAL=1s")
	own, err := url.Parse(c.metrics)
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]string{"collector:8889": exporter, "collector:8888": own.Host, "rabbitmq:15692": broker}
	servers := map[string]*prometheus{"as in compose": startPrometheus(t, []string{built(t, "prometheus")}, targets)}
	if version := servers["as in compose"].version(t); !strings.Contains(read(t, "../../docker-compose.yaml"), "prom/prometheus:v"+version+"\n") {
		t.Errorf("build.sh has built Prometheus %s, and docker-compose.yaml starts another", version)
	}
	if command, ok := packaged(); ok {
		servers["of servers.sh"] = startPrometheus(t, command, targets)
	} else {
		t.Log("integration/servers.sh has not built its Prometheus")
	}
	measure(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.url)
	for name, p := range servers {
		t.Run(name, func(t *testing.T) {
			t.Logf("Prometheus %s", p.version(t))
			p.awaitSeries(t, []string{"count(up == 1) == 3"})
			p.checkQueries(t, true)
			p.checkLabels(t)
			p.checkExemplars(t)
			p.awaitSeries(t, []string{
				`traces_span_metrics_calls_total{service_name="` + measured + `", messaging_operation_name="process"}`,
				`traces_span_metrics_duration_seconds_bucket{service_name="` + measured + `", error_type!=""}`,
			})
		})
	}
	for line := range strings.Lines(c.log.String()) {
		if strings.Contains(line, "deprecated") {
			t.Errorf("the Collector says %s", line)
		}
	}
}
