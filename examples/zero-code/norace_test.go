//go:build !race

package zerocode

// race reports whether the programs are built with the race detector, as the test is.
const race = false
