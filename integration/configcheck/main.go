// Command configcheck checks the files of deploy without the programs that read them: alert
// rules and the dashboard's queries by Prometheus's own parsers, and the YAML files
// strictly, by the keys that their programs document, so that a misspelt or misplaced key
// is found.
//
//	configcheck DEPLOY
//	configcheck queries DEPLOY    print the queries to Prometheus, one a line
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// check reads one file of deploy and returns a summary of it.
type check struct {
	file string
	read func(data []byte) (found string, err error)
}

const (
	rulesFile     = "prometheus/alerts.yml"
	dashboardFile = "grafana/dashboards/messaging.json"
)

var checks = []check{
	{rulesFile, rules},
	{dashboardFile, dashboard},
	{"prometheus/prometheus.yml", strictly[prometheusConfig]},
	{"tempo/tempo.yaml", strictly[tempoConfig]},
	{"scale/prometheus.yml", strictly[prometheusConfig]},
	{"scale/tempo.yaml", strictly[tempoConfig]},
	{"loki/loki.yaml", strictly[lokiConfig]},
	{"grafana/provisioning/datasources/datasources.yaml", strictly[dataSources]},
	{"grafana/provisioning/dashboards/dashboards.yaml", strictly[dashboardProviders]},
}

func main() {
	var err error
	switch {
	case len(os.Args) == 2:
		err = run(os.Args[1])
	case len(os.Args) == 3 && os.Args[1] == "queries":
		err = printQueries(os.Args[2])
	default:
		fmt.Fprintln(os.Stderr, "usage: configcheck [queries] DEPLOY")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "configcheck:", err)
		os.Exit(1)
	}
}

func run(deploy string) error {
	var faults []error
	for _, c := range checks {
		found, err := c.run(deploy)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", c.file, err))
			continue
		}
		fmt.Printf("ok  %s: %s\n", c.file, found)
	}
	return errors.Join(faults...)
}

func (c check) run(deploy string) (found string, err error) {
	data, err := os.ReadFile(filepath.Join(deploy, c.file)) //nolint:gosec // the caller names the directory
	if err != nil {
		return "", err
	}
	return c.read(data)
}
