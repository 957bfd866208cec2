package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// Each order is processed in the trace in which it was added.
func TestOrdersAreProcessedInTheirTraces(t *testing.T) {
	addrs := []string{""}
	if addr := os.Getenv("MQTRACE_REDIS_ADDR"); addr != "" {
		addrs = append(addrs, addr)
	}
	for _, addr := range addrs {
		var out bytes.Buffer
		if err := play(t.Context(), addr, &out); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 6 {
			t.Fatalf("%d lines:\n%s", len(lines), &out)
		}
		seen := make(map[string]bool)
		for i, want := range []string{"order 1 of 12.5", "order 2 of 7", "order 3 of 9"} {
			_, id, _ := strings.Cut(lines[i], "added in trace ")
			if got := lines[3+i]; got != want+" in trace "+id || len(id) != 32 || seen[id] {
				t.Errorf("%q, want %s in trace %q", got, want, id)
			}
			seen[id] = true
		}
	}
}

func TestAddressIsAURL(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireAuth("secret")
	if err := play(t.Context(), "redis://:secret@"+server.Addr()+"/3", new(bytes.Buffer)); err != nil {
		t.Error(err)
	}
	err := play(t.Context(), "redis://:secret@host:no", new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "MQTRACE_REDIS_ADDR is neither") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestServerThatDoesNotAnswer(t *testing.T) {
	if err := play(t.Context(), "127.0.0.1:1", new(bytes.Buffer)); err == nil {
		t.Error("no error")
	}
}
