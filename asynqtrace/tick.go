package asynqtrace

import (
	"reflect"
	"slices"
	"sync"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"
)

// tick is one enqueue of a scheduler in progress.
type tick struct {
	sending

	task     *asynq.Task
	opts     []asynq.Option
	headers  map[string]string // for the task to carry, nil if its own are kept
	carrying *carrying
	answered bool // asynq has called the hook that reports how the enqueue ended
}

// carrying is a task whose headers are replaced while ticks enqueue it.
type carrying struct {
	ticks   int
	own     map[string]string // the task's original headers, restored afterwards
	headers map[string]string // its current headers, made for first
	first   *tick
}

// ticks are a scheduler's ticks in progress, in the order in which they began. The lock is
// never held during calls to the user's code, asynq or an SDK.
//
// The goroutine of a tick reads the headers of its task, without a lock, from add to
// remove. So they are set and restored only while no tick of the task is under way.
type ticks struct {
	mu       sync.Mutex
	underWay []*tick
	tasks    map[*asynq.Task]*carrying
}

// own returns a copy of the task with its own headers.
func (t *ticks) own(task *asynq.Task) *asynq.Task {
	l, err := layout()
	if task == nil || err != nil {
		return task
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	headers := task.Headers()
	if c := t.tasks[task]; c != nil {
		headers = c.own
	}
	return l.withHeaders(task, headers)
}

// add makes the task carry the context of the tick, unless an earlier tick, whose context
// it carries, is still enqueueing it.
func (t *ticks) add(tick *tick) {
	if first := t.carry(tick); first != tick && tick.span != nil {
		tick.span.SetAttributes(overlappingKey.Bool(true))
		if first.span != nil {
			tick.span.AddLink(trace.Link{SpanContext: first.span.SpanContext()})
		}
	}
}

// carry returns the tick whose context the task carries.
func (t *ticks) carry(tick *tick) (first *tick) {
	l, err := layout()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.underWay = append(t.underWay, tick)
	if err != nil || tick.headers == nil {
		return tick
	}
	c := t.tasks[tick.task]
	if c == nil {
		c = &carrying{own: tick.task.Headers(), headers: tick.headers, first: tick}
		l.setHeaders(tick.task, c.headers)
		if t.tasks == nil {
			t.tasks = make(map[*asynq.Task]*carrying)
		}
		t.tasks[tick.task] = c
	}
	c.ticks++
	tick.carrying = c
	return c.first
}

// remove ends the tick. If it is the last of its task, the task gets its own headers back.
func (t *ticks) remove(tick *tick) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.underWay, tick); i >= 0 {
		t.underWay = slices.Delete(t.underWay, i, i+1)
	}
	c := tick.carrying
	if c == nil {
		return
	}
	if c.ticks--; c.ticks > 0 {
		return
	}
	delete(t.tasks, tick.task)
	if l, err := layout(); err == nil {
		l.setHeaders(tick.task, c.own)
	}
}

// enqueued returns the tick that info is the result of, or nil. info contains the same map
// of headers that the task carries. Several ticks of a task differ only by queue and
// identifier. If these are equal too, the oldest is returned: then the results of two ticks
// of the same task may be swapped.
func (t *ticks) enqueued(info *asynq.TaskInfo) *tick {
	carries := func(tick *tick) bool { return tick.carrying != nil && sameMap(tick.carrying.headers, info.Headers) }
	like := func(tick *tick) int {
		return 4*likeness(tick.task.Type(), info.Type) + likeness(tick.to.queue, info.Queue) + likeness(tick.to.id, info.ID)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if tick := t.answer(carries, like); tick != nil {
		return tick
	}
	return t.answer(func(*tick) bool { return true }, like)
}

// failed returns the tick whose enqueue failed, or nil. Ticks with the same task and
// options belong to one entry.
func (t *ticks) failed(task *asynq.Task, opts []asynq.Option) *tick {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.answer(func(tick *tick) bool { return tick.task == task }, func(tick *tick) int {
		if len(tick.opts) == len(opts) && (len(opts) == 0 || &tick.opts[0] == &opts[0]) {
			return 1
		}
		return 0
	})
}

// answer returns the best match among the candidate ticks that asynq has not answered yet,
// the oldest of several. It never returns nil if there is a candidate, so that the number
// of ticks of a task is right even if two of them are confused.
func (t *ticks) answer(may func(*tick) bool, likely func(*tick) int) *tick {
	var best *tick
	most := -1
	for _, tick := range t.underWay {
		if tick.answered || !may(tick) {
			continue
		}
		if n := likely(tick); n > most {
			best, most = tick, n
		}
	}
	if best != nil {
		best.answered = true
	}
	return best
}

// likeness compares an option, which may be unknown, with asynq's answer.
func likeness(option, said string) int {
	switch option {
	case said:
		return 2
	case "":
		return 1
	default:
		return 0
	}
}

func sameMap(a, b map[string]string) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}
