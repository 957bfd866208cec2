package messaging_test

import (
	"sync"
	"testing"

	"github.com/mqtrace/mqtrace/internal/messaging"
)

func TestCacheComputesOnce(t *testing.T) {
	var c messaging.Cache[[2]string, int]
	n := 0
	for range 3 {
		if got := c.Get([2]string{"a", "b"}, func() int { n++; return 7 }); got != 7 {
			t.Errorf("got %d", got)
		}
	}
	if n != 1 {
		t.Errorf("computed %d times", n)
	}
}

// Names without end are answered rightly and do not fill the memory.
func TestCacheIsBounded(t *testing.T) {
	var c messaging.Cache[int, int]
	square := func(i int) int { return c.Get(i, func() int { return i * i }) }
	for i := range 10_000 {
		if got := square(i); got != i*i {
			t.Fatalf("%d: got %d", i, got)
		}
	}
	remembered := 0
	for i := range 10_000 {
		computed := false
		c.Get(i, func() int { computed = true; return 0 })
		if !computed {
			remembered++
		}
	}
	if remembered != 64 {
		t.Errorf("%d are remembered", remembered)
	}
}

func TestCacheOfManyGoroutines(t *testing.T) {
	var c messaging.Cache[int, int]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				if got := c.Get(i, func() int { return -i }); got != -i {
					t.Errorf("%d: got %d", i, got)
				}
			}
		})
	}
	wg.Wait()
}

func TestCacheHitAllocatesNothing(t *testing.T) {
	var c messaging.Cache[[2]string, string]
	hit := func() { c.Get([2]string{"orders", "order.created"}, func() string { return "x" }) }
	hit()
	if n := testing.AllocsPerRun(100, hit); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
