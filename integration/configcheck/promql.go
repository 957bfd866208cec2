package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// rules are alert rules: their expressions, durations, labels and templates.
func rules(data []byte) (found string, err error) {
	const ignoreUnknown = false
	groups, errs := rulefmt.Parse(data, ignoreUnknown, model.UTF8Validation, promQL(), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	n := 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				return "", fmt.Errorf("rule %q has no name, summary or severity", rule.Alert)
			}
			n++
		}
	}
	if n == 0 {
		return "", errors.New("no rules")
	}
	return fmt.Sprintf("%d rules, by Prometheus's parser", n), nil
}

func promQL() parser.Parser { return parser.NewParser(parser.Options{}) }

// variables are what Grafana puts into a query before Prometheus sees it.
var variables = strings.NewReplacer("$__rate_interval", "1m", "$system", ".*", "$destination", ".*")

// dashboard is a dashboard's queries to Prometheus.
func dashboard(data []byte) (found string, err error) {
	var d struct {
		Panels []struct {
			ID         int    `json:"id"`
			Title      string `json:"title"`
			Datasource struct {
				Type string `json:"type"`
			} `json:"datasource"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return "", err
	}
	n, seen := 0, make(map[int]bool)
	for _, panel := range d.Panels {
		if seen[panel.ID] {
			return "", fmt.Errorf("two panels have the id %d", panel.ID)
		}
		seen[panel.ID] = true
		if panel.Datasource.Type != "prometheus" {
			continue
		}
		for _, target := range panel.Targets {
			if _, err := promQL().ParseExpr(variables.Replace(target.Expr)); err != nil {
				return "", fmt.Errorf("panel %q: %w", panel.Title, err)
			}
			n++
		}
	}
	if n == 0 {
		return "", errors.New("no queries")
	}
	return fmt.Sprintf("%d queries, by Prometheus's parser", n), nil
}
