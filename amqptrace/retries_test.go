package amqptrace_test

import (
	"testing"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func TestRetries(t *testing.T) {
	var r amqptrace.Retries
	if r.Again(1) {
		t.Error("nothing has failed")
	}
	for i := range 40 {
		r.Failed(i)
	}
	if r.Again(7) || !r.Again(8) || r.Again(8) || !r.Again(39) {
		t.Error("the last 32 are remembered, each until it is asked for")
	}
}

// A batch is remembered as a whole, and a bounded number of deliveries beside it.
func TestRetriesOfBatches(t *testing.T) {
	var r amqptrace.Retries
	batch := make([]int, 40000)
	for i := range batch {
		batch[i] = i
	}
	r.Failed(-1)
	r.Failed(batch...)
	if r.Again(-1) || !r.Again(0) || r.Again(0) || !r.Again(len(batch)-1) {
		t.Error("a large batch takes the place of earlier failures")
	}
	r.Failed(-2)
	if r.Again(1) || !r.Again(-2) || !r.Empty() {
		t.Error("a large batch is forgotten with the next failure")
	}
}
