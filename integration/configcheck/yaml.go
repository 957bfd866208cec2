package main

import (
	"bytes"
	"errors"
	"io"
	"time"

	"go.yaml.in/yaml/v3"
)

// validator is a file with more to check than keys and types.
type validator interface{ validate() error }

// strictly decodes YAML into T and rejects unknown keys, duplicate keys, and more than one
// document.
func strictly[T any](data []byte) (found string, err error) {
	var into T
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&into); err != nil {
		return "", err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return "", errors.New("there is more than one document")
	}
	if v, ok := any(into).(validator); ok {
		if err := v.validate(); err != nil {
			return "", err
		}
	}
	return "keys and types only, not read by its program", nil
}

// The types below have those of the documented keys that the files use, and grow with the
// files.

// https://prometheus.io/docs/prometheus/latest/configuration/configuration/
type prometheusConfig struct {
	Global struct {
		ScrapeInterval     time.Duration `yaml:"scrape_interval"`
		EvaluationInterval time.Duration `yaml:"evaluation_interval"`
	} `yaml:"global"`
	RuleFiles []string `yaml:"rule_files"`
	OTLP      struct {
		PromoteResourceAttributes []string `yaml:"promote_resource_attributes"`
	} `yaml:"otlp"`
	ScrapeConfigs []struct {
		JobName       string `yaml:"job_name"`
		HonorLabels   bool   `yaml:"honor_labels"`
		StaticConfigs []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
		DNSSDConfigs []struct {
			Names           []string      `yaml:"names"`
			Type            string        `yaml:"type"`
			Port            int           `yaml:"port"`
			RefreshInterval time.Duration `yaml:"refresh_interval"`
		} `yaml:"dns_sd_configs"`
	} `yaml:"scrape_configs"`
}

func (c prometheusConfig) validate() error {
	if len(c.RuleFiles) == 0 || len(c.ScrapeConfigs) == 0 {
		return errors.New("no rules or nothing to scrape")
	}
	return nil
}

// https://grafana.com/docs/tempo/v3.0.x/configuration/. Tempo rejects unknown keys, too.
type tempoConfig struct {
	Server struct {
		HTTPListenPort int    `yaml:"http_listen_port"`
		LogLevel       string `yaml:"log_level"`
	} `yaml:"server"`
	Distributor struct {
		Receivers struct {
			OTLP struct {
				Protocols struct {
					GRPC struct {
						Endpoint string `yaml:"endpoint"`
					} `yaml:"grpc"`
				} `yaml:"protocols"`
			} `yaml:"otlp"`
		} `yaml:"receivers"`
	} `yaml:"distributor"`
	Memberlist struct {
		BindAddr []string `yaml:"bind_addr"`
	} `yaml:"memberlist"`
	BackendWorker struct {
		Compaction struct {
			BlockRetention time.Duration `yaml:"block_retention"`
		} `yaml:"compaction"`
	} `yaml:"backend_worker"`
	Storage struct {
		Trace struct {
			Backend string `yaml:"backend"`
			S3      struct {
				Endpoint  string `yaml:"endpoint"`
				Bucket    string `yaml:"bucket"`
				AccessKey string `yaml:"access_key"`
				SecretKey string `yaml:"secret_key"`
			} `yaml:"s3"`
			WAL struct {
				Path string `yaml:"path"`
			} `yaml:"wal"`
			Local struct {
				Path string `yaml:"path"`
			} `yaml:"local"`
		} `yaml:"trace"`
	} `yaml:"storage"`
	UsageReport struct {
		ReportingEnabled bool `yaml:"reporting_enabled"`
	} `yaml:"usage_report"`
}
