package zerocode

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A message is published, processed by a function and settled, by three builds of one
// program that take turns. The figures are CPU time relative to the version by hand,
// including the broker, which is in the same process.
func BenchmarkCost(b *testing.B) {
	const messages = 5000
	dir := b.TempDir()
	forms := []struct {
		name string
		args []string
		time time.Duration
	}{
		{name: "raw", args: []string{"build"}},
		{name: "woven", args: []string{"tool", "orchestrion", "go", "build"}},
		{name: "by-hand", args: []string{"build", "-tags", "byhand"}},
	}
	for _, f := range forms {
		cmd := exec.Command("go", append(f.args, "-o", filepath.Join(dir, f.name), "./cost")...)
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		info, err := os.Stat(filepath.Join(dir, f.name))
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%s: %.1f MB", f.name, float64(info.Size())/1e6)
	}
	for b.Loop() {
		for i := range forms {
			cmd := exec.Command(filepath.Join(dir, forms[i].name), strconv.Itoa(messages))
			cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none")
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%s: %v\n%s", forms[i].name, err, out)
			}
			forms[i].time += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
	}
	byHand := float64(forms[2].time)
	b.ReportMetric(float64(forms[0].time)/byHand, "raw/by-hand")
	b.ReportMetric(float64(forms[1].time)/byHand, "woven/by-hand")
	b.ReportMetric(byHand/float64(b.N)/messages/1e3, "µs/message")
}
