package main

import (
	"bufio"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A peek that is interrupted, in whatever way, leaves each message in its place.
func TestPeekInterrupted(t *testing.T) {
	const messages = 3000 // more than fit into a pipe, so that it cannot finish first
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		for kind, tt := range map[string]struct {
			args    amqp.Table
			n, flag string
			signals []syscall.Signal
		}{
			"classic": {nil, strconv.Itoa(messages), "-quorum=false", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}},
			"quorum":  {amqp.Table{"x-queue-type": "quorum"}, "1000", "-quorum", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}},
		} {
			t.Run(kind, func(t *testing.T) {
				queue := newQueue(t, ch, tt.args)
				fillMany(t, ch, queue, messages, 1)
				for _, sig := range tt.signals {
					interrupt(t, sig, "peek", "amqp", "-amqp", url, "-n", tt.n, "-o", "json", queue, tt.flag)
					awaitReady(t, ch, queue, messages)
				}
				deliveries, err := ch.Consume(queue, "", true, false, false, false, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i := range messages {
					if d := <-deliveries; d.MessageId != strconv.Itoa(i) {
						t.Fatalf("message %d is %q", i, d.MessageId)
					}
				}
			})
		}
	})
}

// hearing is how long the output is not read after a signal, so that the tool gets the
// signal before it can finish.
const hearing = 500 * time.Millisecond

// interrupt runs the tool until it has begun to print messages, and then sends the signal.
// What it has printed is valid JSON, unless it was killed.
func interrupt(t *testing.T, sig syscall.Signal, args ...string) {
	t.Helper()
	cmd := process(t, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(stdout)
	var out strings.Builder
	for !strings.Contains(out.String(), `"position": 100,`) {
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatalf("ended: %v, %s", err, stderr.String())
		}
		out.WriteString(line)
	}
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	time.Sleep(hearing)
	rest, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if sig == syscall.SIGKILL {
		return
	}
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("%v: %v, %s", sig, err, stderr.String())
	}
	if text := out.String() + string(rest); !json.Valid([]byte(text)) || !strings.Contains(text, `"summary"`) {
		t.Errorf("%v: no valid JSON: …%s", sig, text[max(0, len(text)-500):])
	}
}

// priorityOf returns the priority of a message of fillMany. None has 0, which is sent as no
// priority and which a quorum queue treats as 4.
func priorityOf(id string, priorities int) uint8 {
	n, _ := strconv.Atoi(id)
	return uint8(1 + n%priorities)
}

// fillMany publishes messages with their numbers as ids, and a number of priorities in
// turn.
func fillMany(t *testing.T, ch *amqp.Channel, queue string, n, priorities int) {
	t.Helper()
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	var last *amqp.DeferredConfirmation
	for i := range n {
		var err error
		last, err = ch.PublishWithDeferredConfirmWithContext(t.Context(), "", queue, false, false, amqp.Publishing{
			MessageId: strconv.Itoa(i), Headers: amqp.Table{"traceparent": parentA}, AppId: "shop", Priority: priorityOf(strconv.Itoa(i), priorities),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if acked, err := last.WaitContext(t.Context()); err != nil || !acked {
		t.Fatal(acked, err)
	}
	awaitReady(t, ch, queue, n)
}
