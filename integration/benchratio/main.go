// Command benchratio reads the output of go test -bench and prints, for each
// benchmark that has a floor beside it, the ratio of the two:
//
//	go test -run '^$' -bench . -count 3 ./... | go run ./integration/benchratio [-limits sampled=1.25,noop=2.5]
//
// A benchmark X/name has the floor X/floor. Of several runs the fastest counts: noise
// on a machine only ever adds time. With limits it exits 1 where the ratio of a
// benchmark that has a limit's word as one of its parts is beyond that limit.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
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

// result is the fastest run of one benchmark.
type result struct {
	group, name string // Publish/sampled, amqptrace
	ns          float64
	allocs      string
}

// read takes the lines of benchmarks and passes over everything else, but for a
// failure, which leaves the ratios meaningless.
func read(r io.Reader) ([]result, error) {
	var results []result
	pkg := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) > 1 && fields[0] == "pkg:":
			pkg = fields[1][strings.LastIndexByte(fields[1], '/')+1:]
		case len(fields) > 0 && (fields[0] == "FAIL" || fields[0] == "---" && fields[1] == "FAIL:"):
			return nil, fmt.Errorf("a benchmark failed: %s", lines.Text())
		case len(fields) > 3 && strings.HasPrefix(fields[0], "Benchmark") && fields[3] == "ns/op":
			results = keepFastest(results, parse(pkg, fields))
		}
	}
	return results, lines.Err()
}

func parse(pkg string, fields []string) result {
	name := strings.TrimPrefix(fields[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i >= 0 { // the number of processors
		name = name[:i]
	}
	group, last := "", name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		group, last = name[:i], name[i+1:]
	}
	r := result{group: pkg + " " + group, name: last}
	r.ns, _ = strconv.ParseFloat(fields[2], 64)
	if i := slices.Index(fields, "allocs/op"); i > 0 {
		r.allocs = fields[i-1]
	}
	return r
}

func keepFastest(results []result, r result) []result {
	for i, old := range results {
		if old.group == r.group && old.name == r.name {
			if r.ns < old.ns {
				results[i] = r
			}
			return results
		}
	}
	return append(results, r)
}

func report(w io.Writer, results []result, limits limitFlag) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "benchmark\tfloor ns/op\tns/op\tratio\tfloor allocs\tallocs\t")
	pairs, beyond := 0, 0
	for _, r := range results {
		i := slices.IndexFunc(results, func(f result) bool { return f.group == r.group && f.name == "floor" })
		if i < 0 || r.name == "floor" {
			continue
		}
		floor, note := results[i], ""
		pairs++
		ratio := r.ns / floor.ns
		if limit, ok := limitOf(r.group, limits); ok {
			note = fmt.Sprintf("limit %.2f", limit)
			if ratio > limit {
				note = "BEYOND THE " + note
				beyond++
			}
		}
		fmt.Fprintf(tw, "%s\t%.0f\t%.0f\t%.2f\t%s\t%s\t%s\n", r.group, floor.ns, r.ns, ratio, floor.allocs, r.allocs, note)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	switch {
	case pairs == 0:
		return fmt.Errorf("no benchmark with a floor among %d", len(results))
	case beyond > 0:
		return fmt.Errorf("%d of %d benchmarks are beyond their limit", beyond, pairs)
	}
	return nil
}

func limitOf(group string, limits limitFlag) (float64, bool) {
	for part := range strings.FieldsFuncSeq(group, func(r rune) bool { return r == '/' || r == ' ' }) {
		if limit, ok := limits[part]; ok {
			return limit, true
		}
	}
	return 0, false
}
