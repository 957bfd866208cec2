package main

import (
	"strings"
	"testing"
)

const output = `goos: linux
pkg: example.com/m/amqptrace
BenchmarkPublish/sampled-2  10  1300 ns/op  11.20 floor-allocs/op  1000 floor-ns/op  1.300 ratio  12.00 subject-allocs/op
BenchmarkPublish/sampled-2  10  1200 ns/op  11.20 floor-allocs/op  1000 floor-ns/op  1.200 ratio  12.00 subject-allocs/op
BenchmarkPublish/sampled-2  10  1100 ns/op  11.20 floor-allocs/op  1000 floor-ns/op  1.100 ratio  12.00 subject-allocs/op
BenchmarkAlone-2            10  5 ns/op
PASS
`

func TestReport(t *testing.T) {
	results, err := read(strings.NewReader(output))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := report(&b, results, limitFlag{"sampled": 1.25}); err != nil {
		t.Error(err)
	}
	if want := "amqptrace Publish/sampled  1000         1200   1.20   11            12      limit 1.25"; !strings.Contains(b.String(), want) {
		t.Errorf("got\n%swant a line\n%s", b.String(), want)
	}
	if err := report(&b, results, limitFlag{"sampled": 1.1}); err == nil {
		t.Error("no error for a ratio beyond its limit")
	}
}

func TestNothingToCompare(t *testing.T) {
	for _, in := range []string{"", "PASS\n", output + "FAIL\n", "BenchmarkAlone-2 10 5 ns/op\n"} {
		results, err := read(strings.NewReader(in))
		if err == nil {
			err = report(&strings.Builder{}, results, nil)
		}
		if err == nil {
			t.Errorf("no error for %q", in)
		}
	}
}

func TestLimits(t *testing.T) {
	l := limitFlag{}
	if err := l.Set("sampled=1.25,noop=2.5"); err != nil || l["noop"] != 2.5 {
		t.Errorf("%v, %v", l, err)
	}
	for _, bad := range []string{"", "sampled", "sampled=x", "sampled=-1"} {
		if err := l.Set(bad); err == nil {
			t.Errorf("%q is a limit", bad)
		}
	}
}
