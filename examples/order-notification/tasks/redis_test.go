package tasks_test

import (
	"strings"
	"testing"

	"github.com/mqtrace/mqtrace/examples/order-notification/tasks"
)

func TestParseRedis(t *testing.T) {
	for text, want := range map[string]struct {
		addr, password string
		db             int
	}{
		"127.0.0.1:6379":                  {"127.0.0.1:6379", "", 0},
		"redis://127.0.0.1:6379/3":        {"127.0.0.1:6379", "", 3},
		"redis://:secret@127.0.0.1:6379/": {"127.0.0.1:6379", "secret", 0},
	} {
		opt, err := tasks.ParseRedis(text)
		if err != nil || opt.Addr != want.addr || opt.Password != want.password || opt.DB != want.db {
			t.Errorf("%s: %+v, %v", text, opt, err)
		}
	}
	for _, text := range []string{"redis://:secret@host:no", "http://:secret@host", "redis://:secret@host/%zz"} {
		if _, err := tasks.ParseRedis(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
