package main

import (
	"strings"
	"testing"
)

const good = `{"services": {
	"redis": {"image": "redis:8.10.1", "healthcheck": {"test": ["CMD", "redis-cli", "ping"]},
		"deploy": {"resources": {"limits": {"cpus": "1", "memory": "512M"}}},
		"ports": [{"host_ip": "127.0.0.1", "published": "6379"}], "volumes": [{"type": "volume", "source": "data", "target": "/data"}]},
	"order": {"build": {"context": "."}, "healthcheck": {"test": ["CMD", "x"]}, "depends_on": {"redis": {"condition": "service_healthy"}},
		"deploy": {"resources": {"limits": {"cpus": 0.5, "memory": "128M"}}}},
	"tempo": {"build": {"args": {"BASE": "grafana/tempo:3.0.3"}}, "image": "tempo", "healthcheck": {"test": ["CMD", "y"]},
		"deploy": {"resources": {"limits": {"cpus": 0.25, "memory": "1G"}}},
		"volumes": [{"type": "bind", "source": "main.go", "target": "/etc/tempo.yaml"}]}
}}`

func TestGoodProject(t *testing.T) {
	if n, err := check(strings.NewReader(good)); err != nil || n != 3 {
		t.Errorf("%d services, %v", n, err)
	}
}

func TestFaults(t *testing.T) {
	for old, bad := range map[string]string{
		`redis:8.10.1`: `redis:latest`, `"redis:8.10.1"`: `"registry.example:5000/redis"`,
		`"127.0.0.1"`: `"0.0.0.0"`, `service_healthy`: `service_started`,
		`"source": "data", `: ``, `"test": ["CMD", "x"]`: `"disable": true`,
		`grafana/tempo:3.0.3`: `grafana/tempo:latest`, `"main.go"`: `"nothing.go"`,
		`"cpus": 0.25, `: ``, `, "memory": "128M"`: ``,
		`{"services"`: `{"other"`, `{"services": {`: `[`,
	} {
		text := strings.Replace(good, old, bad, 1)
		if text == good {
			t.Fatalf("%q is not in the project", old)
		}
		if _, err := check(strings.NewReader(text)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}
