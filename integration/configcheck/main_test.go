package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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

var mistakes = map[string][]string{
	"prometheus/alerts.yml": {
		"sum by -> sun by", "  expr: |\n -> expr: |\n", "groups: -> groups: [", "for: 10m -> for: soon", "severity: -> Severity:", "$labels.messaging -> labels.messaging(",
	},
	"grafana/dashboards/messaging.json":                 {"rate(messaging -> rate((messaging", `"id": 2 -> "id": 1`},
	"prometheus/prometheus.yml":                         {"scrape_interval: 15s -> scrape_interval: often", "rule_files: -> rules_files:"},
	"tempo/tempo.yaml":                                  {"compaction: -> compacting:", "http_listen_port: 3200 -> http_listen_port: x"},
	"loki/loki.yaml":                                    {"schema: v13 -> schema: v12", "allow_structured_metadata: true -> allow_structured_metadata: false", "kvstore: -> kv_store:"},
	"grafana/provisioning/datasources/datasources.yaml": {"uid: loki -> uid: logs", "derivedFields: -> derivedField:"},
	"grafana/provisioning/dashboards/dashboards.yaml":   {"path: -> paths:"},
}
