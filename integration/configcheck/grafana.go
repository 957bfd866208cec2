package main

import (
	"errors"
	"fmt"
	"time"
)

// https://grafana.com/docs/loki/latest/configure/
type lokiConfig struct {
	AuthEnabled bool `yaml:"auth_enabled"`
	Server      struct {
		HTTPListenPort int    `yaml:"http_listen_port"`
		LogLevel       string `yaml:"log_level"`
	} `yaml:"server"`
	Common struct {
		PathPrefix        string `yaml:"path_prefix"`
		ReplicationFactor int    `yaml:"replication_factor"`
		Ring              struct {
			KVStore struct {
				Store string `yaml:"store"`
			} `yaml:"kvstore"`
		} `yaml:"ring"`
		Storage struct {
			Filesystem struct {
				ChunksDirectory string `yaml:"chunks_directory"`
				RulesDirectory  string `yaml:"rules_directory"`
			} `yaml:"filesystem"`
		} `yaml:"storage"`
	} `yaml:"common"`
	SchemaConfig struct {
		Configs []struct {
			From        string `yaml:"from"`
			Store       string `yaml:"store"`
			ObjectStore string `yaml:"object_store"`
			Schema      string `yaml:"schema"`
			Index       struct {
				Prefix string        `yaml:"prefix"`
				Period time.Duration `yaml:"period"`
			} `yaml:"index"`
		} `yaml:"configs"`
	} `yaml:"schema_config"`
	LimitsConfig struct {
		AllowStructuredMetadata bool          `yaml:"allow_structured_metadata"`
		RetentionPeriod         time.Duration `yaml:"retention_period"`
	} `yaml:"limits_config"`
	Compactor struct {
		WorkingDirectory   string `yaml:"working_directory"`
		RetentionEnabled   bool   `yaml:"retention_enabled"`
		DeleteRequestStore string `yaml:"delete_request_store"`
	} `yaml:"compactor"`
	Analytics struct {
		ReportingEnabled bool `yaml:"reporting_enabled"`
	} `yaml:"analytics"`
}

func (c lokiConfig) validate() error {
	for _, s := range c.SchemaConfig.Configs {
		// What trace_id needs, which is structured metadata.
		if s.Store == "tsdb" && s.Schema == "v13" && c.LimitsConfig.AllowStructuredMetadata {
			return nil
		}
	}
	return errors.New("logs that come by OTLP need structured metadata and the schema v13 on tsdb")
}

// https://grafana.com/docs/grafana/latest/administration/provisioning/#data-sources
type dataSources struct {
	APIVersion  int  `yaml:"apiVersion"`
	Prune       bool `yaml:"prune"`
	DataSources []struct {
		Name      string         `yaml:"name"`
		UID       string         `yaml:"uid"`
		Type      string         `yaml:"type"`
		Access    string         `yaml:"access"`
		URL       string         `yaml:"url"`
		IsDefault bool           `yaml:"isDefault"`
		JSONData  dataSourceData `yaml:"jsonData"`
	} `yaml:"datasources"`
}

type dataSourceData struct {
	HTTPMethod                  string         `yaml:"httpMethod"`
	TimeInterval                time.Duration  `yaml:"timeInterval"`
	ExemplarTraceIDDestinations []link         `yaml:"exemplarTraceIdDestinations"`
	DerivedFields               []link         `yaml:"derivedFields"`
	TracesToLogs                *traceLink     `yaml:"tracesToLogsV2"`
	TracesToMetrics             *traceLink     `yaml:"tracesToMetrics"`
	ServiceMap                  *link          `yaml:"serviceMap"`
	NodeGraph                   map[string]any `yaml:"nodeGraph"`
}

// link is a link to another data source.
type link struct {
	Name            string `yaml:"name"`
	DatasourceUID   string `yaml:"datasourceUid"`
	MatcherType     string `yaml:"matcherType"`
	MatcherRegex    string `yaml:"matcherRegex"`
	URL             string `yaml:"url"`
	URLDisplayLabel string `yaml:"urlDisplayLabel"`
}

type traceLink struct {
	DatasourceUID      string              `yaml:"datasourceUid"`
	SpanStartTimeShift time.Duration       `yaml:"spanStartTimeShift"`
	SpanEndTimeShift   time.Duration       `yaml:"spanEndTimeShift"`
	CustomQuery        bool                `yaml:"customQuery"`
	Query              string              `yaml:"query"`
	Tags               []map[string]string `yaml:"tags"`
	Queries            []map[string]string `yaml:"queries"`
}

// validate checks that every link is to a data source that exists.
func (d dataSources) validate() error {
	uids := make(map[string]bool)
	for _, source := range d.DataSources {
		uids[source.UID] = true
	}
	for _, source := range d.DataSources {
		data := source.JSONData
		var to []string
		for _, l := range append(data.ExemplarTraceIDDestinations, data.DerivedFields...) {
			to = append(to, l.DatasourceUID)
		}
		for _, l := range []*traceLink{data.TracesToLogs, data.TracesToMetrics} {
			if l != nil {
				to = append(to, l.DatasourceUID)
			}
		}
		if data.ServiceMap != nil {
			to = append(to, data.ServiceMap.DatasourceUID)
		}
		for _, uid := range to {
			if !uids[uid] {
				return fmt.Errorf("%s leads to %q, which is not a data source", source.Name, uid)
			}
		}
	}
	return nil
}

// https://grafana.com/docs/grafana/latest/administration/provisioning/#dashboards
type dashboardProviders struct {
	APIVersion int `yaml:"apiVersion"`
	Providers  []struct {
		Name           string `yaml:"name"`
		Type           string `yaml:"type"`
		AllowUIUpdates bool   `yaml:"allowUiUpdates"`
		Options        struct {
			Path string `yaml:"path"`
		} `yaml:"options"`
	} `yaml:"providers"`
}
