package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	traceA = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanA  = "00f067aa0ba902b7"
	traceB = "0af7651916cd43dd8448eb211c80319c"
	spanB  = "b7ad6b7169203331"
)

// messages has one of each kind that people look for.
func messages() []amqp.Publishing {
	long := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	return []amqp.Publishing{
		{
			Headers: amqp.Table{"traceparent": "00-" + traceA + "-" + spanA + "-01", "baggage": "tenant.id=t1,user=alice"},
			AppId:   "shop", MessageId: "m1", Type: "order.created", CorrelationId: "c1", Timestamp: long, Body: []byte("body"),
		},
		{Headers: amqp.Table{"TraceParent": "00-" + traceB + "-" + spanB + "-00"}, AppId: "billing"},
		{Headers: amqp.Table{"traceparent": "00-" + traceA + "-0000000000000000-01"}, AppId: "legacy"},
		{MessageId: "evil\x1b[2J\u202e", AppId: "evil\x07\n"},
		{Headers: amqp.Table{"x-death": []any{
			amqp.Table{"queue": "retry", "reason": "expired", "count": int64(2), "time": long, "exchange": ""},
			amqp.Table{"queue": "orders", "reason": "rejected", "count": int64(1), "time": long, "exchange": ""},
		}}},
	}
}

func TestPeekAMQP(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		fill(t, ch, queue, messages()...)
		stable := func(text string) string {
			return replace(text, `mqtrace-tool-\d+-\d+`, "orders", `("\w*age_seconds": )[\d.]+`, "${1}1", `>999d`, "2h05m")
		}
		link := "http://localhost:16686/trace/{trace_id}?uiFind={span_id}"
		// Peeking marks the messages as redelivered, so that the order of these counts.
		golden(t, "peek-amqp.json", stable(ok(t, "peek", "amqp", queue, "-amqp", url, "-o", "json", "-n", "3", "-trace-url", link)))
		golden(t, "peek-amqp", stable(ok(t, "peek", "amqp", "-amqp", url, "-trace-url", link, queue)))
		golden(t, "peek-amqp-values", stable(ok(t, "peek", "amqp", "-amqp="+url, "--baggage-values", "-n", "1", queue)))
		for want, format := range map[string]string{"  body body\n": "text", `"body": "body",`: "json"} {
			if out := ok(t, "peek", "amqp", "-amqp", url, "-body", "-n", "1", "-o", format, queue); !strings.Contains(out, want) {
				t.Errorf("%q is not in\n%s", want, out)
			}
		}
		golden(t, "peek-amqp-empty.json", stable(ok(t, "peek", "amqp", "-amqp", url, "-o=json", newQueue(t, ch, nil))))
		fails(t, exitFailed, "there is no queue", "peek", "amqp", "-amqp", url, queue+"-none")
	})
}

// A queue that was peeked at ten times has all of its messages, in order, and each peek has
// shown the same ones.
func TestPeekLeavesTheQueueAlone(t *testing.T) {
	const messages, shown, peeks, priorities = 60, 40, 10, 3
	inOrder := make([]string, messages)
	for i := range inOrder {
		inOrder[i] = strconv.Itoa(i)
	}
	byPriority := slices.SortedStableFunc(slices.Values(inOrder), func(a, b string) int {
		return cmp.Compare(priorityOf(b, priorities), priorityOf(a, priorities))
	})
	quorum := amqp.Table{"x-queue-type": "quorum"}
	kinds := map[string]struct {
		args       amqp.Table
		priorities int
	}{
		"classic":            {nil, 1},
		"priority":           {amqp.Table{"x-max-priority": int32(5)}, priorities},
		"quorum":             {quorum, 1},
		"quorum, priorities": {quorum, priorities},
		"single active":      {amqp.Table{"x-single-active-consumer": true}, 1},
		"stream":             {amqp.Table{"x-queue-type": "stream"}, 1},
	}
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		release := releaseOf(t, url)
		for kind, tt := range kinds {
			isQuorum, isStream := tt.args["x-queue-type"] == "quorum", tt.args["x-queue-type"] == "stream"
			if isStream && release == "" {
				continue // the in-process broker has none
			}
			want := inOrder
			// In a quorum queue of RabbitMQ 4.0 all of these are low, and in 3.10 there are
			// no priorities.
			if tt.priorities > 1 && (!isQuorum || release == "" || release >= "4.3") {
				want = byPriority
			}
			t.Run(kind, func(t *testing.T) {
				queue := newQueue(t, ch, tt.args)
				fillMany(t, ch, queue, messages, tt.priorities)
				for range peeks {
					got := idsOf(t, ok(t, "peek", "amqp", "-amqp", url, "-quorum", "-n", strconv.Itoa(shown), "-o", "json", queue))
					if !slices.Equal(got, want[:shown]) {
						t.Fatalf("shown are %v, want %v", got, want[:shown])
					}
					awaitReady(t, ch, queue, messages)
				}
				for i, d := range takeAll(t, ch, queue, messages, isStream) {
					if d.MessageId != want[i] {
						t.Fatalf("message %d is %q, want %q", i, d.MessageId, want[i])
					}
					peeked := i < shown
					if d.Redelivered != (peeked && !isStream) {
						t.Errorf("message %d: redelivered is %v", i, d.Redelivered)
					}
					var acquired, delivered any
					if isQuorum {
						acquired, delivered = quorumCounts(release, peeked, peeks)
					}
					if d.Headers["x-acquired-count"] != acquired || d.Headers["x-delivery-count"] != delivered {
						t.Errorf("message %d has %v, want x-acquired-count %v and x-delivery-count %v", i, d.Headers, acquired, delivered)
					}
				}
			})
		}
	})
}

// idsOf returns the message ids that a peek has printed as JSON.
func idsOf(t *testing.T, out string) (ids []string) {
	t.Helper()
	var printed struct {
		Messages []struct {
			ID string `json:"message_id"`
		} `json:"messages"`
	}
	if err := json.Unmarshal([]byte(out), &printed); err != nil {
		t.Fatal(err)
	}
	for _, m := range printed.Messages {
		ids = append(ids, m.ID)
	}
	return ids
}

// takeAll takes n messages out of a queue, or reads them from a stream.
func takeAll(t *testing.T, ch *amqp.Channel, queue string, n int, stream bool) (all []amqp.Delivery) {
	t.Helper()
	if !stream {
		for range n {
			d, got, err := ch.Get(queue, true)
			if err != nil || !got {
				t.Fatalf("message %d: %v, %v", len(all), got, err)
			}
			all = append(all, d)
		}
		return all
	}
	if err := ch.Qos(n, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume(queue, "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	if err != nil {
		t.Fatal(err)
	}
	for d := range deliveries {
		if all = append(all, d); len(all) == n {
			return all
		}
	}
	t.Fatalf("%d messages, want %d", len(all), n)
	return nil
}

// quorumCounts returns the headers of a quorum queue's message after a number of peeks,
// which depend on the release: docs/rabbitmq.md has the table.
func quorumCounts(release string, peeked bool, rounds int64) (acquired, delivered any) {
	switch {
	case release == "" && peeked: // the in-process broker: a peek there ends by the end of its channel
		return rounds, rounds
	case release < "4.0" && release != "":
		return nil, map[bool]int64{true: rounds}[peeked]
	case !peeked:
		return nil, nil
	case release < "4.3":
		return nil, rounds
	default: // a peek does not count as a failed delivery
		return rounds, nil
	}
}

// releaseOf returns the release of the broker, such as "4.3", or empty for the in-process
// one. All tested releases have one digit in each part, except 3.10.
func releaseOf(t *testing.T, url string) string {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	version, _ := conn.Properties["version"].(string)
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// awaitReady waits until the messages that a closed channel held are back in the queue.
func awaitReady(t *testing.T, ch *amqp.Channel, queue string, want int) {
	t.Helper()
	for began := time.Now(); time.Since(began) < patience; time.Sleep(10 * time.Millisecond) {
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		if q.Messages == want {
			return
		}
	}
	t.Fatalf("%s does not have %d messages", queue, want)
}

// A quorum queue is refused, unless asked for: with a delivery limit of 1 the second peek
// may lose its messages. Refusing does not cost them a delivery, however often.
func TestPeekRefusesQuorumQueues(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int32(1)})
		fill(t, ch, queue, amqp.Publishing{}, amqp.Publishing{})
		for range 6 {
			fails(t, exitUsage, "-quorum", "peek", "amqp", "-amqp", url, queue)
		}
		for left := range 2 {
			out := ok(t, "peek", "amqp", "-amqp", url, "-quorum", "-o", "json", queue)
			if strings.Count(out, `"redelivered": false`) != map[int]int{0: 2}[left] {
				t.Errorf("peek %d printed\n%s", left+1, out)
			}
			awaitReady(t, ch, queue, map[bool]int{true: 2}[left == 0 || releaseOf(t, url) >= "4.3"])
		}
	})
}

// The type of a queue is found whatever else it was declared with, and asking about a
// missing queue does not create it.
func TestPeekFindsOutTheType(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		for _, args := range []amqp.Table{
			{"x-queue-type": "quorum", "x-delivery-limit": int32(3), "x-max-length": int32(9), "x-dead-letter-exchange": "amq.direct"},
			{"x-queue-type": "quorum", "x-single-active-consumer": true, "x-expires": int32(60000)},
		} {
			queue := newQueue(t, ch, args)
			fails(t, exitUsage, "quorum queue", "peek", "amqp", "-amqp", url, queue)
		}
		for _, args := range []amqp.Table{
			{"x-max-priority": int32(3), "x-expires": int32(60000), "x-message-ttl": int32(60000), "x-dead-letter-routing-key": "it's", "x-dead-letter-exchange": "'"},
			{"x-queue-type": "classic", "x-single-active-consumer": true},
		} {
			ok(t, "peek", "amqp", "-amqp", url, newQueue(t, ch, args))
		}
		missing := newQueue(t, ch, nil)
		if _, err := ch.QueueDelete(missing, false, false, false); err != nil {
			t.Fatal(err)
		}
		fails(t, exitFailed, "there is no queue", "peek", "amqp", "-amqp", url, missing)
		other := openChannel(t, url)
		if _, err := other.QueueDeclarePassive(missing, true, false, false, false, nil); err == nil {
			t.Error("the queue was created")
		}
	})
}

// If RabbitMQ does not name the type of a queue, as for a user without the configure
// permission, the management API is asked. Here the name is so long that RabbitMQ's message
// is cut off.
func TestPeekAsksTheManagementAPI(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := unique() + strings.Repeat("-", 200)
		if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		defer func() { _, _ = ch.QueueDelete(queue, false, false, false) }()
		peek := []string{"peek", "amqp", "-amqp", url, queue}
		fails(t, exitUsage, "cannot be determined: names this long are cut off", peek...)
		fails(t, exitUsage, "-management asks", peek...)
		for kind, want := range map[string]int{"classic": 0, "quorum": exitUsage, "unheard-of": exitUsage} {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.EscapedPath(), "/"+queue) {
					w.WriteHeader(http.StatusNotFound)
				}
				_, _ = fmt.Fprintf(w, `{"type":%q}`, kind)
			}))
			if r := tool(t, append(peek, "-management", api.URL)...); r.code != want {
				t.Errorf("of type %s: exit code %d, %s", kind, r.code, r.stderr)
			}
			api.Close()
			fails(t, exitUsage, "cannot be determined", append(peek, "-management", api.URL)...)
		}
		fails(t, exitUsage, "-management is not a valid", append(peek, "-management", "http://u:geheim@h:x")...)
	})
}

// A stream is read although RabbitMQ has not yet counted its messages.
func TestPeekAtANewStream(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		stream := amqp.Table{"x-queue-type": "stream"}
		if releaseOf(t, url) == "" { // the in-process broker has no streams
			if _, err := ch.QueueDeclare("stream", true, false, false, false, stream); err == nil {
				t.Error("a stream was declared")
			}
			return
		}
		queue := newQueue(t, ch, stream)
		fillMany(t, ch, queue, 1100, 1)
		for n, want := range map[int]string{2: "2 of ", 3000: "1000 of "} {
			r := tool(t, "peek", "amqp", "-amqp", url, queue, "-n", strconv.Itoa(n))
			if r.code != 0 || !strings.Contains(r.stdout, want) || strings.Contains(r.stderr, "at most 1000") != (n > 1000) {
				t.Errorf("-n %d: exit code %d, %s%.200s", n, r.code, r.stderr, r.stdout)
			}
		}
	})
}

func TestPeekWarnsOfConsumers(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		if _, err := ch.Consume(queue, "", false, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		if r := tool(t, "peek", "amqp", "-amqp", url, queue); r.code != 0 || !strings.Contains(r.stderr, "has 1 consumer") {
			t.Errorf("exit code %d, %s", r.code, r.stderr)
		}
	})
}

// Large bodies and many messages are not kept.
func TestPeekKeepsNothing(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		const count, size = 100, 1 << 20
		body := make([]byte, size)
		for range count {
			fill(t, ch, queue, amqp.Publishing{Body: body, Headers: amqp.Table{"h": strings.Repeat("x", 1000)}})
		}
		before := heap() // the in-process broker's messages are in it
		var out scale
		var stderr strings.Builder
		if code := run(t.Context(), []string{"mqtrace", "peek", "amqp", "-amqp", url, "-n", "100000", "-o", "json", queue}, &out, &stderr); code != 0 {
			t.Fatalf("exit code %d, %s", code, stderr.String())
		}
		if out.most == 0 || out.most > before+count*size/2 {
			t.Errorf("the heap grew from %d to %d MiB", before>>20, out.most>>20)
		}
		if strings.Count(out.text.String(), `"body_bytes": 1048576`) != count {
			t.Errorf("not all of %d messages in\n%.2000s", count, out.text.String())
		}
	})
}

// All of the output is held back until the messages are returned, a large one in a file.
func TestPeekHoldsItsOutput(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	for name, lines := range map[string]int{"nothing": 0, "a little": 3, "as much as fits": maxHeld / 1024, "much more": 3 * maxHeld / 1024} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			h := &held{out: &out}
			want := new(strings.Builder)
			for i := range lines {
				line := fmt.Sprintf("%01023d\n", i)
				want.WriteString(line)
				if n, err := h.Write([]byte(line)); err != nil || n != len(line) {
					t.Fatalf("%d bytes, %v", n, err)
				}
			}
			if out.Len() > 0 || h.kept.Len() > maxHeld {
				t.Errorf("%d bytes written, %d in memory", out.Len(), h.kept.Len())
			}
			if err := h.release(); err != nil || out.String() != want.String() {
				t.Errorf("%d bytes written, %v", out.Len(), err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%d files are left, %v", len(left), err)
			}
		})
	}
}

// scale measures the heap on some of the writes to it: the writer makes no garbage
// meanwhile, as it would if a timer measured.
type scale struct {
	text strings.Builder
	next int
	most uint64
}

func (s *scale) Write(p []byte) (int, error) {
	const every = 5000
	if s.text.Len() >= s.next {
		s.next = s.text.Len() + every
		s.most = max(s.most, heap())
	}
	return s.text.Write(p)
}

// heap returns the memory in use, without garbage.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Unreadable content of messages does not make a library print between the rows, and an
// x-death of empty tables is not a history.
func TestPeekPrintsNothingElse(t *testing.T) {
	onAMQP(t, func(t *testing.T, url string, ch *amqp.Channel) {
		queue := newQueue(t, ch, nil)
		fill(t, ch, queue, amqp.Publishing{Headers: amqp.Table{"baggage": "a=1,b b=2", "x-death": []any{amqp.Table{}}}})
		var stderr strings.Builder
		cmd := process(t, "peek", "amqp", "-amqp", url, queue)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || stderr.String() != "" || !strings.Contains(string(out), "1 of 1 message") || strings.Contains(string(out), "dead") {
			t.Errorf("%v: %s\n%s", err, stderr.String(), out)
		}
	})
}
