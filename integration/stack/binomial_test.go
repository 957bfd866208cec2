//go:build stack

package stack_test

import (
	"math"
	"testing"
)

// falseAlarm bounds how often a statistical test fails although all is well: once in a
// million runs on each side.
const falseAlarm = 1e-6

// within returns the bounds of the number of successes in n tries of probability p, except
// with probability falseAlarm on each side.
func within(n int, p float64) (low, high int) {
	below := 0.0
	for low = 0; ; low++ {
		if below += binomial(n, low, p); below > falseAlarm {
			break
		}
	}
	above := 0.0
	for high = n; ; high-- {
		if above += binomial(n, high, p); above > falseAlarm {
			break
		}
	}
	return low, high
}

// binomial returns the probability of k successes in n tries.
func binomial(n, k int, p float64) float64 {
	gamma := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	return math.Exp(gamma(n) - gamma(k) - gamma(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func TestWithin(t *testing.T) {
	// Small enough to calculate by hand: the extreme value has 2^-20 < falseAlarm, and
	// together with the next 21 × 2^-20.
	if low, high := within(20, 0.5); low != 1 || high != 19 {
		t.Errorf("of 20 coins: %d to %d, want 1 to 19", low, high)
	}
	// A normal approximation: 80 ± 4.75 × √76.
	if low, high := within(1600, 0.05); low < 36 || low > 46 || high < 119 || high > 129 {
		t.Errorf("of 1600 at 5 %%: %d to %d, want about 41 to 124", low, high)
	}
}
