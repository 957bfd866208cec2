// Command benchratio reads the output of benchmarks that measure something beside its
// floor (internal/sidebyside), and prints a table of the ratios:
//
//	go test -run '^$' -bench . ./... | go run ./integration/benchratio [-limits sampled=1.25,noop=2.5]
//
// Of several runs the one with the median ratio counts. With limits it exits 1 where the
// ratio of a benchmark that has a limit's word as one of its parts is beyond that limit.
package main

import (
	"bufio"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

func main() {
	limits := limitFlag{}
	flag.Var(limits, "limits", "`word=ratio,…`: the highest ratio for benchmarks with that word in their name")
	flag.Parse()
	rows, err := read(os.Stdin)
	if err == nil {
		err = report(os.Stdout, rows, limits)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchratio:", err)
		os.Exit(1)
	}
}

type limitFlag map[string]float64

func (l limitFlag) String() string { return "" }

func (l limitFlag) Set(s string) error {
	for item := range strings.SplitSeq(s, ",") {
		word, number, _ := strings.Cut(item, "=")
		ratio, err := strconv.ParseFloat(number, 64)
		if err != nil || ratio <= 0 {
			return fmt.Errorf("%q is not word=ratio", item)
		}
		l[word] = ratio
	}
	return nil
}

// result is one run of a benchmark.
type result struct {
	name    string // amqptrace Publish/sampled
	metrics map[string]float64
}

func (r result) ratio() float64 { return r.metrics["ratio"] }

// allocations are empty for benchmarks that do not count them.
func (r result) allocations(of string) string {
	n, ok := r.metrics[of+"-allocs/op"]
	if !ok {
		return ""
	}
	return strconv.FormatFloat(math.Round(n), 'f', -1, 64)
}

// read takes the lines of benchmarks with a ratio and passes over everything else, but
// for a failure, which leaves the ratios meaningless.
func read(r io.Reader) ([]result, error) {
	runs := make(map[string][]result)
	var names []string
	pkg := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) > 1 && fields[0] == "pkg:":
			pkg = fields[1][strings.LastIndexByte(fields[1], '/')+1:]
		case len(fields) > 0 && (fields[0] == "FAIL" || fields[0] == "---" && fields[1] == "FAIL:"):
			return nil, fmt.Errorf("a benchmark failed: %s", lines.Text())
		case len(fields) > 3 && strings.HasPrefix(fields[0], "Benchmark"):
			if run := parse(pkg, fields); run.ratio() > 0 {
				if runs[run.name] == nil {
					names = append(names, run.name)
				}
				runs[run.name] = append(runs[run.name], run)
			}
		}
	}
	results := make([]result, 0, len(names))
	for _, name := range names {
		results = append(results, median(runs[name]))
	}
	return results, lines.Err()
}

func median(runs []result) result {
	slices.SortFunc(runs, func(a, b result) int { return cmp.Compare(a.ratio(), b.ratio()) })
	return runs[len(runs)/2]
}

// parse reads a benchmark's name and its metrics, which are pairs of value and unit.
func parse(pkg string, fields []string) result {
	name := strings.TrimPrefix(fields[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i >= 0 { // the number of processors
		name = name[:i]
	}
	r := result{name: pkg + " " + name, metrics: make(map[string]float64)}
	for i := 2; i+1 < len(fields); i += 2 {
		if value, err := strconv.ParseFloat(fields[i], 64); err == nil {
			r.metrics[fields[i+1]] = value
		}
	}
	return r
}

func report(w io.Writer, results []result, limits limitFlag) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "benchmark\tfloor ns/op\tns/op\tratio\tfloor allocs\tallocs\t")
	beyond := 0
	for _, r := range results {
		note := ""
		if limit, ok := limitOf(r.name, limits); ok {
			note = fmt.Sprintf("limit %.2f", limit)
			if r.ratio() > limit {
				note = "BEYOND THE " + note
				beyond++
			}
		}
		fmt.Fprintf(tw, "%s\t%.0f\t%.0f\t%.2f\t%s\t%s\t%s\n", r.name,
			r.metrics["floor-ns/op"], r.metrics["ns/op"], r.ratio(), r.allocations("floor"), r.allocations("subject"), note)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	switch {
	case len(results) == 0:
		return errors.New("no benchmark with a ratio")
	case beyond > 0:
		return fmt.Errorf("%d of %d benchmarks are beyond their limit", beyond, len(results))
	}
	return nil
}

func limitOf(name string, limits limitFlag) (float64, bool) {
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == ' ' }) {
		if limit, ok := limits[part]; ok {
			return limit, true
		}
	}
	return 0, false
}
