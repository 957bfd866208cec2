package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// rules are alert rules: their expressions, durations, labels and templates.
func rules(data []byte) (found string, err error) {
	rules, err := parseRules(data)
	return fmt.Sprintf("%d rules, by Prometheus's parser", len(rules)), err
}

func parseRules(data []byte) (rules []rulefmt.Rule, err error) {
	const ignoreUnknown = false
	groups, errs := rulefmt.Parse(data, ignoreUnknown, model.UTF8Validation, promQL(), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Annotations["summary"] == "" || rule.Labels["severity"] == "" {
				return nil, fmt.Errorf("rule %q has no name, summary or severity", rule.Alert)
			}
			rules = append(rules, rule)
		}
	}
	if len(rules) == 0 {
		return nil, errors.New("no rules")
	}
	return rules, nil
}

func promQL() parser.Parser { return parser.NewParser(parser.Options{}) }

// variables are what Grafana replaces in a query before Prometheus sees it.
var variables = strings.NewReplacer("$__rate_interval", "1m", "$system", ".*", "$destination", ".*")

// dashboard is a dashboard, with its queries to Prometheus.
func dashboard(data []byte) (found string, err error) {
	queries, err := dashboardQueries(data)
	return fmt.Sprintf("%d queries, by Prometheus's parser", len(queries)), err
}

func dashboardQueries(data []byte) (queries []string, err error) {
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
		return nil, err
	}
	seen := make(map[int]bool)
	for _, panel := range d.Panels {
		if seen[panel.ID] {
			return nil, fmt.Errorf("two panels have the id %d", panel.ID)
		}
		seen[panel.ID] = true
		if panel.Datasource.Type != "prometheus" {
			continue
		}
		for _, target := range panel.Targets {
			query := variables.Replace(target.Expr)
			if _, err := promQL().ParseExpr(query); err != nil {
				return nil, fmt.Errorf("panel %q: %w", panel.Title, err)
			}
			queries = append(queries, query)
		}
	}
	if len(queries) == 0 {
		return nil, errors.New("no queries")
	}
	return queries, nil
}

// printQueries prints the queries to Prometheus, one a line.
func printQueries(deploy string) error {
	data, err := os.ReadFile(filepath.Join(deploy, rulesFile)) //nolint:gosec // the caller names the directory
	if err != nil {
		return err
	}
	rules, err := parseRules(data)
	if err != nil {
		return err
	}
	data, err = os.ReadFile(filepath.Join(deploy, dashboardFile)) //nolint:gosec // likewise
	if err != nil {
		return err
	}
	queries, err := dashboardQueries(data)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		queries = append(queries, rule.Expr)
	}
	for _, query := range queries {
		fmt.Println(strings.Join(strings.Fields(query), " "))
	}
	return nil
}
