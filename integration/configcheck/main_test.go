package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const deploy = "../../deploy"

// Each file passes as it is and fails with a mistake in it.
func TestMistakes(t *testing.T) {
	for _, c := range checks {
		data, err := os.ReadFile(filepath.Join(deploy, c.file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.read(data); err != nil {
			t.Errorf("%s: %v", c.file, err)
		}
		for _, mistake := range mistakes[c.file] {
			old, bad, _ := strings.Cut(mistake, " -> ")
			text := strings.Replace(string(data), old, bad, 1)
			if text == string(data) {
				t.Fatalf("%s: %q is not in it", c.file, old)
			}
			if _, err := c.read([]byte(text)); err == nil {
				t.Errorf("%s: %q passes", c.file, bad)
			}
		}
		if _, err := c.read(nil); err == nil {
			t.Errorf("%s: an empty file passes", c.file)
		}
	}
}

// promtool runs the tests of the alerts; each alert has one in which it fires and one in
// which it does not.
func TestAlertsHaveTests(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(deploy, rulesFile))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := parseRules(data)
	if err != nil {
		t.Fatal(err)
	}
	data, err = os.ReadFile(filepath.Join(deploy, "prometheus/alerts_test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Alerts []struct {
				Name     string           `yaml:"alertname"`
				Expected []map[string]any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	fires, quiet := make(map[string]bool), make(map[string]bool)
	for _, test := range file.Tests {
		for _, alert := range test.Alerts {
			if len(alert.Expected) > 0 {
				fires[alert.Name] = true
			} else {
				quiet[alert.Name] = true
			}
		}
	}
	for _, rule := range rules {
		if !fires[rule.Alert] || !quiet[rule.Alert] {
			t.Errorf("%s has no test where it fires, or none where it is quiet", rule.Alert)
		}
	}
}

// A service has the same labels, whichever way its metrics come.
func TestLabelsOfServices(t *testing.T) {
	lists := make(map[string]bool)
	for file, key := range map[string]string{
		"collector/config.yaml":     "included",
		"prometheus/prometheus.yml": "promote_resource_attributes",
		"scale/prometheus.yml":      "promote_resource_attributes",
	} {
		data, err := os.ReadFile(filepath.Join(deploy, file))
		if err != nil {
			t.Fatal(err)
		}
		_, list, ok := strings.Cut(string(data), " "+key+": [")
		if !ok {
			t.Fatalf("%s: no %s", file, key)
		}
		list, _, _ = strings.Cut(list, "]")
		lists[list] = true
	}
	if len(lists) != 1 {
		t.Errorf("the lists differ: %v", lists)
	}
}

var mistakes = map[string][]string{
	"prometheus/alerts.yml": {
		"sum by -> sun by", "  expr: |\n -> expr: |\n", "groups: -> groups: [", "for: 10m -> for: soon", "severity: -> Severity:", "$labels.messaging -> labels.messaging(",
	},
	"grafana/dashboards/messaging.json":                 {"rate(messaging -> rate((messaging", `"id": 2 -> "id": 1`},
	"prometheus/prometheus.yml":                         {"scrape_interval: 15s -> scrape_interval: often", "rule_files: -> rules_files:", "promote_ -> promoted_"},
	"tempo/tempo.yaml":                                  {"backend_worker: -> compactor:", "storage: -> ingester: {max_block_duration: 5m}\nstorage:", "http_listen_port: 3200 -> http_listen_port: x"},
	"loki/loki.yaml":                                    {"schema: v13 -> schema: v12", "allow_structured_metadata: true -> allow_structured_metadata: false", "kvstore: -> kv_store:"},
	"grafana/provisioning/datasources/datasources.yaml": {"uid: loki -> uid: logs", "derivedFields: -> derivedField:"},
	"grafana/provisioning/dashboards/dashboards.yaml":   {"path: -> paths:"},
}
