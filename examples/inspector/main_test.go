package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/hibiken/asynq"
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

// More tasks than a page has, and none with a trace.
func TestPagesAndTasksWithoutTrace(t *testing.T) {
	addr := os.Getenv("MQTRACE_REDIS_ADDR")
	if addr == "" {
		demo, err := newDemo(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer demo.Close()
		addr = demo.Addr()
	}
	redis := asynq.RedisClientOpt{Addr: addr}
	queue := fmt.Sprintf("mqtrace-inspector-%d", os.Getpid())
	client, inspector := asynq.NewClient(redis), asynq.NewInspector(redis)
	t.Cleanup(func() {
		_ = inspector.DeleteQueue(queue, true)
		_ = client.Close()
		_ = inspector.Close()
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
		t.Error("no error for a queue that is not there")
	}
}
