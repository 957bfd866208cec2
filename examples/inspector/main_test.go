package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
)

func TestEachTaskHasItsTrace(t *testing.T) {
	var out bytes.Buffer
	if err := play(t.Context(), "", nil, &out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^default archived email:welcome archived, trace ([0-9a-f]{32}): "no mail server"
default retry email:welcome retried, trace ([0-9a-f]{32}): "no mail server"
$`)
	ids := want.FindStringSubmatch(out.String())
	if ids == nil || ids[1] == ids[2] {
		t.Errorf("printed\n%s", &out)
	}
}

func TestAddressIsAURL(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireAuth("secret")
	if err := failTasks(t.Context(), asynq.RedisClientOpt{Addr: server.Addr(), Password: "secret", DB: 3}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := play(t.Context(), "redis://:secret@"+server.Addr()+"/3", nil, &out); err != nil || bytes.Count(out.Bytes(), []byte(", trace ")) != 2 {
		t.Errorf("%v, printed\n%s", err, &out)
	}
	err := play(t.Context(), "redis://:secret@host:no", nil, &out)
	if err == nil || !strings.Contains(err.Error(), "MQTRACE_REDIS_ADDR: asynqredis: address is neither") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

// More tasks than fit on a page, and none with a trace.
func TestPagesAndTasksWithoutTrace(t *testing.T) {
	addr := os.Getenv("MQTRACE_REDIS_ADDR")
	if addr == "" {
		demo, err := newDemo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(demo.Close) // after the queue is removed
		addr = demo.Addr()
	}
	redis, err := asynqredis.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	queue := fmt.Sprintf("mqtrace-inspector-%d", os.Getpid())
	client, inspector := asynq.NewClient(redis), asynq.NewInspector(redis)
	t.Cleanup(func() {
		_ = client.Close()
		_ = inspector.Close()
		if err := asynqredis.DeleteQueue(context.Background(), redis, queue); err != nil {
			t.Error(err)
		}
	})
	for range pageSize + 1 {
		if _, err := client.Enqueue(asynq.NewTask("email:welcome", nil, asynq.Queue(queue))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := inspector.ArchiveAllPendingTasks(queue); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := play(t.Context(), addr, []string{queue}, &out); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(out.Bytes(), []byte(", no trace: ")); n != pageSize+1 {
		t.Errorf("%d lines, want %d", n, pageSize+1)
	}
	if err := play(t.Context(), addr, []string{queue + "-none"}, &out); err == nil {
		t.Error("no error for a queue that does not exist")
	}
}
