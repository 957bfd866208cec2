// Command composecheck reads a compose file, as the JSON that a compose parser resolves it
// to, and checks this project's rules: every image has a version, every published port is
// on loopback, every service has a limit of memory and of processors and a health check and
// starts after what it depends on is healthy, every volume has a name, and every mounted
// file exists.
//
//	compose -format json docker-compose.yaml | go run ./integration/composecheck
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	n, err := check(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "composecheck:", err)
		os.Exit(1)
	}
	fmt.Printf("composecheck: %d services keep the rules\n", n)
}

type project struct {
	Services map[string]service `json:"services"`
}

type service struct {
	Image       string                `json:"image"`
	Build       *build                `json:"build"`
	Ports       []port                `json:"ports"`
	HealthCheck *healthCheck          `json:"healthcheck"`
	DependsOn   map[string]dependency `json:"depends_on"`
	Volumes     []volume              `json:"volumes"`
	Deploy      struct {
		Resources struct {
			Limits struct {
				CPUs   json.RawMessage `json:"cpus"`
				Memory string          `json:"memory"`
			} `json:"limits"`
		} `json:"resources"`
	} `json:"deploy"`
}

// build is an image that is built here. One that is based on another names it as BASE.
type build struct {
	Args map[string]string `json:"args"`
}

type port struct {
	HostIP    string `json:"host_ip"`
	Published string `json:"published"`
}

type healthCheck struct {
	Test    []string `json:"test"`
	Disable bool     `json:"disable"`
}

type dependency struct {
	Condition string `json:"condition"`
}

type volume struct {
	Type   string `json:"type"`
	Source string `json:"source"`
	Target string `json:"target"`
}

func check(r io.Reader) (services int, err error) {
	var p project
	if err := json.NewDecoder(r).Decode(&p); err != nil {
		return 0, fmt.Errorf("no compose project: %w", err)
	}
	if len(p.Services) == 0 {
		return 0, errors.New("no services")
	}
	var faults []error
	for name, s := range p.Services {
		for _, fault := range s.faults() {
			faults = append(faults, fmt.Errorf("%s: %s", name, fault))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return len(p.Services), errors.Join(faults...)
}

func (s service) faults() []string {
	var faults []string
	image := s.Image
	if s.Build != nil {
		image = s.Build.Args["BASE"]
	}
	if !pinned(image) && (s.Build == nil || image != "") {
		faults = append(faults, fmt.Sprintf("image %q has no version", image))
	}
	if limits := s.Deploy.Resources.Limits; len(limits.CPUs) == 0 || limits.Memory == "" {
		faults = append(faults, "no limit of memory or of processors")
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" && p.HostIP != "::1" {
			faults = append(faults, fmt.Sprintf("port %s is published on %q, not on loopback", p.Published, p.HostIP))
		}
	}
	if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) == 0 {
		faults = append(faults, "no health check")
	}
	for on, d := range s.DependsOn {
		if d.Condition != "service_healthy" {
			faults = append(faults, fmt.Sprintf("starts when %s is %s, not healthy", on, d.Condition))
		}
	}
	for _, v := range s.Volumes {
		if v.Type == "volume" && v.Source == "" {
			faults = append(faults, "the volume at "+v.Target+" has no name")
		}
		if _, err := os.Stat(v.Source); v.Type == "bind" && err != nil {
			// Docker would create a directory of that name.
			faults = append(faults, fmt.Sprintf("the file mounted at %s does not exist: %v", v.Target, err))
		}
	}
	return faults
}

// pinned reports whether an image has a digest, or a tag with at least a minor version.
func pinned(image string) bool {
	if strings.Contains(image, "@sha256:") {
		return true
	}
	_, tag, ok := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	return ok && strings.ContainsAny(tag, "0123456789") && strings.Contains(tag, ".")
}
