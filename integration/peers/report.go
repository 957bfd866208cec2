package main

import (
	_ "embed"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"text/template"
	"time"
)

//go:embed peers.md.tmpl
var page string

type pageData struct {
	Date, Processor, Go string
	Versions            string
	Cores               int
	Tables              []pageTable
	Flows               []*flow
}

type pageTable struct {
	Title string
	Rows  []string
}

// What is named of what was measured.
var named = []string{
	"github.com/rabbitmq/amqp091-go", "github.com/hibiken/asynq", "go.opentelemetry.io/otel",
	"github.com/twmb/franz-go/plugin/kotel", "github.com/dnwe/otelsarama",
}

func report(costs []cost, flows []*flow, now time.Time) (string, error) {
	data := pageData{
		Date: now.Format("2 January 2006"), Processor: processor(), Cores: runtime.NumCPU(),
		Go: strings.TrimPrefix(runtime.Version(), "go"), Versions: versions(), Flows: flows,
	}
	for _, operation := range operations {
		for _, sampling := range samplings {
			t := pageTable{Title: strings.ToUpper(operation[:1]) + operation[1:] + ", " + sampling}
			for _, c := range costs {
				if c.operation == operation && c.sampling == sampling {
					t.Rows = append(t.Rows, c.row())
				}
			}
			data.Tables = append(data.Tables, t)
		}
	}
	var b strings.Builder
	err := template.Must(template.New("page").Parse(page)).Execute(&b, data)
	return b.String(), err
}

func (c cost) row() string {
	instructions := "–"
	if c.instructions > 0 {
		instructions = fmt.Sprintf("%.0f", c.instructions)
	}
	return fmt.Sprintf("| %s | %.0f | %.2f | %.0f | %.1f | %.0f | %.0f | %s |",
		c.name, c.nanoseconds, c.ratio, c.bytes, c.allocations, c.cpu, c.resident, instructions)
}

// Row is the flow's, raw and traced.
func (f *flow) Row() string {
	return fmt.Sprintf("| %s | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f | %.2f |",
		f.name, f.median[0], f.median[1], f.ratio, f.p50[0], f.p50[1], f.p99[0], f.p99[1])
}

func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var vs []string
	for _, m := range info.Deps {
		if slices.Contains(named, m.Path) {
			vs = append(vs, m.Path+" "+m.Version)
		}
	}
	return strings.Join(vs, ", ")
}

func processor() string {
	out, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	for line := range strings.Lines(string(out)) {
		if name, model, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model)
		}
	}
	return "an unknown processor"
}
