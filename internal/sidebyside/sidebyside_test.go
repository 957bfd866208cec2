package sidebyside_test

import (
	"math"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/sidebyside"
)

var sink []byte

// Work that takes twice the time has a ratio of two, whatever the machine.
func TestMeasure(t *testing.T) {
	var turns []string
	r := testing.Benchmark(func(b *testing.B) {
		sidebyside.Measure(b, 10,
			func(n int) time.Duration { turns = append(turns, "floor"); return time.Duration(n) * 100 },
			func(n int) time.Duration { turns = append(turns, "subject"); return time.Duration(n) * 200 })
	})
	for name, want := range map[string]float64{"ratio": 2, "floor-ns/op": 100, "ns/op": 200} {
		if got := r.Extra[name]; got != want {
			t.Errorf("%s %v, want %v", name, got, want)
		}
	}
	// Who goes first changes, after a turn of each that is not counted.
	if got := turns[2:6]; got[0] != "floor" || got[1] != "subject" || got[2] != "subject" || got[3] != "floor" {
		t.Errorf("turns %v", got)
	}
}

func TestRunReportsAllocations(t *testing.T) {
	r := testing.Benchmark(func(b *testing.B) {
		sidebyside.Run(b, func(n int) {
			for range n {
				sink = sink[:0]
			}
		}, func(n int) {
			for range n {
				sink = make([]byte, 100)
			}
		})
	})
	// What the runtime allocates meanwhile is a few hundredths.
	floor, subject := math.Round(r.Extra["floor-allocs/op"]), math.Round(r.Extra["subject-allocs/op"])
	if floor != 0 || subject != 1 || r.Extra["ratio"] == 0 {
		t.Errorf("%v", r.Extra)
	}
}
