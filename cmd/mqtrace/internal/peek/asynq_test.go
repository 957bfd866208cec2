package peek_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/mqtrace/mqtrace/asynqtrace/asynqredis"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/peek"
	"github.com/mqtrace/mqtrace/cmd/mqtrace/internal/tracecontext"
)

// The limit applies to each state, and more tasks than one page of asynq's come in order.
func TestAsynqStates(t *testing.T) {
	const pending, scheduled, grouped = 23, 12, 2
	onRedis(t, func(t *testing.T, s *tasks) {
		task := asynq.NewTask("t", nil)
		var order []string
		for i := range pending {
			order = append(order, fmt.Sprint("p", i))
			s.enqueue(order[i], task)
		}
		for i := range scheduled {
			s.enqueue(fmt.Sprint("s", i), task, asynq.ProcessIn(time.Hour+time.Duration(i)*time.Minute))
		}
		for i := range grouped {
			s.enqueue(fmt.Sprint("g", i), task, asynq.Group(fmt.Sprint("group", i)))
		}
		for _, tt := range []struct {
			states string
			limit  int
			total  int
			want   []int
		}{
			{"pending", 100, pending, []int{pending}},
			{"pending", 20, pending, []int{20}},
			{"pending", 1, pending, []int{1}},
			{"pending", 0, pending, []int{0}},
			{"scheduled,pending", 15, pending + scheduled, []int{scheduled, 15}},
			{"aggregating", 100, grouped, []int{grouped}},
			{"aggregating", 1, grouped, []int{1}},
			{"active,retry,archived,completed", 100, 0, []int{0, 0, 0, 0}},
			{"", 100, 0, []int{0}},
		} {
			states := strings.FieldsFunc(tt.states, func(r rune) bool { return r == ',' })
			source := s.open(peek.Options{}, states...)
			for range 2 { // reading changes nothing
				got, err := read(t, source, tt.limit)
				if err != nil || source.Total() != tt.total {
					t.Fatalf("%+v: total %d, %v", tt, source.Total(), err)
				}
				counts := make([]int, max(1, len(states)))
				var ids []string
				for i, m := range got {
					counts[slices.Index(states, m.State)]++
					if m.State == "pending" {
						ids = append(ids, m.ID)
					}
					if m.Position != i+1 || (m.NextRun != nil) != (m.State == "scheduled") || (m.Group != "") != (m.State == "aggregating") {
						t.Errorf("%+v: message %d is %+v %+v", tt, i, m, m.Task)
					}
				}
				if !reflect.DeepEqual(counts, tt.want) || !slices.Equal(ids, order[:len(ids)]) {
					t.Errorf("%+v: %v, %v", tt, counts, ids)
				}
			}
		}
	})
}

func TestAsynqTask(t *testing.T) {
	onRedis(t, func(t *testing.T, s *tasks) {
		now := time.Now().Truncate(time.Microsecond)
		sent := fmt.Sprint(now.Add(-time.Minute).UnixMicro())
		tasks := map[string]*asynq.Task{
			"nothing": asynq.NewTask("t", nil),
			"traced":  asynq.NewTaskWithHeaders("t", make([]byte, 1<<18), map[string]string{"TraceParent": parentA, "baggage": "k=v", "mqtrace-sent-at": sent}),
			"hostile": asynq.NewTaskWithHeaders(evil, []byte(hostile), map[string]string{
				"traceparent": evil, "baggage": evil, "mqtrace-sent-at": "9e9", evil: strings.Repeat("x", 1<<18),
			}),
		}
		for id, task := range tasks {
			s.enqueue(id+evil, task, asynq.MaxRetry(7))
		}
		source := s.open(peek.Options{Now: func() time.Time { return now }}, "pending")
		got, err := read(t, source, 10)
		ok(t, err)
		for _, m := range got {
			id := strings.TrimSuffix(m.ID, evil)
			task, state, known := tasks[id], tracecontext.None, id == "traced"
			switch id {
			case "traced":
				state = tracecontext.OK
				if m.TraceID != traceA || m.ParentSpanID != spanA || !*m.Sampled || m.Age == nil || *m.Age != time.Minute.Seconds() || m.Baggage != nil {
					t.Errorf("%+v", m)
				}
			case "hostile":
				state = tracecontext.Bad
			}
			if m.Context != state || m.Producer != task.Type() || m.BodyBytes != len(task.Payload()) || m.MaxRetry != 7 || m.Attempts != 0 ||
				(m.Age != nil) != known || m.Delivery != nil {
				t.Errorf("%s: %+v %+v", id, m, m.Task)
			}
		}
		if d, err := printJSON(t, source, 10); err != nil || len(d.Messages) != len(tasks) || d.Summary.BadContext != 1 {
			t.Errorf("printed %+v, %v", d.Summary, err)
		}
		var text strings.Builder
		ok(t, peek.Print(&text, source, 10, peek.Format{System: peek.SystemAsynq, Width: 80}))
		wantHarmless(t, text.String())
	})
}

// A task that cannot be read does not hide others.
func TestAsynqDamaged(t *testing.T) {
	const count = 25
	onRedis(t, func(t *testing.T, s *tasks) {
		for i := range count {
			s.enqueue(fmt.Sprint(i), asynq.NewTask("t", nil))
		}
		for _, id := range []string{"3", "9"} {
			ok(t, s.redis.HSet(t.Context(), "asynq:{"+s.queue+"}:t:"+id, "msg", hostile).Err())
		}
		if got, err := read(t, s.open(peek.Options{}, "pending"), 100); err != nil || len(got) != count-2 {
			t.Errorf("%d tasks, %v", len(got), err)
		}
	})
}

func TestAsynqErrors(t *testing.T) {
	onRedis(t, func(t *testing.T, s *tasks) {
		for _, name := range []string{"", s.queue, "*"} {
			if _, err := peek.OpenAsynq(s.inspector, name, peek.States(), peek.Options{}); !errors.Is(err, peek.ErrNoQueue) {
				t.Errorf("%q: %v", name, err)
			}
		}
		s.enqueue("1", asynq.NewTask("t", nil))
		source := s.open(peek.Options{}, "pending", "dead")
		if got, err := read(t, source, 1); err == nil || !strings.Contains(err.Error(), "dead") || len(got) != 1 {
			t.Errorf("an unknown state: %d tasks, %v", len(got), err)
		}
		for range source.Messages(1) { // an early stop is not an error
			break
		}
	})
	nobody := asynqredis.NewClient(asynq.RedisClientOpt{Addr: "127.0.0.1:1"})
	defer nobody.Close()
	if _, err := peek.OpenAsynq(asynq.NewInspectorFromRedisClient(nobody), "q", peek.States(), peek.Options{}); err == nil || errors.Is(err, peek.ErrNoQueue) {
		t.Errorf("no Redis: %v", err)
	}
}
