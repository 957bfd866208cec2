package amqphistory_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/amqphistory"
)

// table is what a client library may call its tables; amqp091-go has one like it.
type table map[string]any

func death(queue, reason string, count any) table {
	return table{"queue": queue, "reason": reason, "count": count, "time": time.Unix(1700000000, 0)}
}

func TestRead(t *testing.T) {
	var long []any
	for i := range 20 {
		long = append(long, death(fmt.Sprint("q", i), "expired", int64(1)))
	}
	for name, tt := range map[string]struct {
		headers     table
		redelivered bool
		attempt     int
		count       int64
		queues      []string
	}{
		"first":                   {nil, false, 1, 0, nil},
		"redelivered":             {nil, true, 2, 0, nil},
		"quorum, first":           {table{"x-delivery-count": int64(0)}, false, 1, 0, nil},
		"quorum, third":           {table{"x-delivery-count": int64(2)}, true, 3, 0, nil},
		"quorum, nacked":          {table{"x-acquired-count": int64(4)}, true, 5, 0, nil},
		"quorum, some failed":     {table{"x-acquired-count": int64(6), "x-delivery-count": int64(2)}, true, 7, 0, nil},
		"quorum, second in a row": {table{"x-acquired-count": int64(1), "x-death": []any{death("q", "rejected", int64(1))}}, true, 3, 1, []string{"q"}},
		"4.3, dead-lettered":      {table{"x-acquired-count": int64(1), "x-delivery-count": int64(1), "x-last-death-queue": "other", "x-death": []any{death("other", "rejected", int64(1))}}, true, 1, 1, []string{"other"}},
		"4.3, and given back":     {table{"x-acquired-count": int64(3), "x-delivery-count": int64(1), "x-last-death-queue": "other", "x-death": []any{death("other", "rejected", int64(1))}}, true, 3, 1, []string{"other"}},
		"4.3, classic":            {table{"x-last-death-queue": "other", "x-death": []any{death("other", "rejected", int64(1))}}, true, 1, 1, []string{"other"}},
		"4.3, retry loop":         {table{"x-acquired-count": int64(2), "x-delivery-count": int64(2), "x-last-death-queue": "retry", "x-death": []any{death("retry", "expired", int64(2)), death("q", "rejected", int64(2))}}, true, 3, 4, []string{"retry", "q"}},
		"4.3, copied and nacked":  {table{"x-acquired-count": int64(1), "x-delivery-count": int64(3)}, true, 2, 0, nil},
		"copied delivery count":   {table{"x-delivery-count": int64(2)}, false, 1, 0, nil},
		"copied acquired count":   {table{"x-acquired-count": int64(2)}, false, 1, 0, nil},
		"retry loop":              {table{"x-death": []any{death("retry", "expired", int64(2)), death("q", "rejected", int64(2))}}, false, 3, 4, []string{"retry", "q"}},
		"retry loop, redelivered": {table{"x-death": []any{death("retry", "expired", int64(1)), death("q", "rejected", int64(1))}}, true, 3, 2, []string{"retry", "q"}},
		"delivery limit":          {table{"x-death": []any{death("q", "delivery_limit", int64(1))}}, false, 2, 1, []string{"q"}},
		"expired unseen":          {table{"x-death": []any{death("q", "expired", int64(5))}}, false, 1, 5, []string{"q"}},
		"bounded":                 {table{"x-death": long}, false, 1, 20, []string{"q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7"}},
		"hostile types": {table{"x-death": []any{nil, "x", int64(1), table{}, death("q", "rejected", "many")},
			"x-delivery-count": "2"}, false, 2, 1, []string{"q"}},
		"empty tables": {table{"x-death": []any{table{}, table{}}}, false, 1, 0, nil},
		"hostile numbers": {table{"x-death": []any{death("q", "rejected", int64(-5)), death("q", "rejected", int64(1<<62))},
			"x-delivery-count": int64(-1)}, false, 1 << 30, 1 << 30, []string{"q", "q"}},
		"no list": {table{"x-death": "x"}, false, 1, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := amqphistory.Read(tt.headers, "q", tt.redelivered)
			var queues []string
			for _, d := range h.Deaths {
				queues = append(queues, d.Queue)
			}
			if h.Attempt != tt.attempt || h.Count != tt.count || !reflect.DeepEqual(queues, tt.queues) {
				t.Errorf("attempt %d, %d deaths in %q", h.Attempt, h.Count, queues)
			}
		})
	}
}

// The types of integers that amqp091-go makes of AMQP's.
func TestCountsOfAnyType(t *testing.T) {
	for _, count := range []any{int8(3), uint8(3), int16(3), uint16(3), int32(3), uint32(3), int64(3), 3} {
		headers := table{"x-delivery-count": count, "x-death": []any{death("other", "rejected", count)}}
		if h := amqphistory.Read(headers, "q", true); h.Attempt != 4 || h.Count != 3 {
			t.Errorf("%T: attempt %d, %d deaths", count, h.Attempt, h.Count)
		}
	}
}

func TestDeath(t *testing.T) {
	headers := table{"x-death": []any{death("q", "expired", int64(3)), table{"time": "yesterday"}}}
	want := []amqphistory.Death{
		{Queue: "q", Reason: "expired", Count: 3, First: 1700000000},
		{Count: 1}, // an entry is a death, whatever it says
	}
	if got := amqphistory.Read(headers, "q", false).Deaths; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
