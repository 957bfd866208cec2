package asynqtrace

import (
	"reflect"
	"slices"
	"sync"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel/trace"
)

// tick is one enqueue of a scheduler under way.
type tick struct {
	sending

	task     *asynq.Task
	opts     []asynq.Option
	headers  map[string]string // for the task to carry, nil where its own are left alone
	carrying *carrying
	answered bool // asynq has called the hook that reports how the enqueue ended
}

// carrying is a task whose headers are replaced while ticks enqueue it.
type carrying struct {
	ticks   int
	own     map[string]string // what the task had, and gets back
	headers map[string]string // what it has, those of first
	first   *tick
}

// ticks are those of a scheduler under way, in the order in which they began. The lock is
// held for what is done here and never while anything of the user's, of asynq's or of an
// SDK's is called.
//
// The goroutine of a tick reads the headers of its task, without a lock, from add to
// remove. So they are set and restored only while no tick of the task is under way.
type ticks struct {
	mu       sync.Mutex
	underWay []*tick
	tasks    map[*asynq.Task]*carrying
}

// own returns a copy of the task with the headers that are its own.
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

// add has the task carry the context of the tick, or that of an earlier tick which is
// still enqueueing it.
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

// remove gives the task its own headers back if the tick is the last one of it.
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

// enqueued returns the tick that asynq answers with info, nil if there is none. asynq's
// answer has the very map of headers that the task carries. Which one of several ticks
// of a task it is for can only be told by queue and identifier. Where these are the same
// too it is the oldest: then the results of two ticks may be exchanged, both of them of
// the same task.
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

// failed returns the tick whose enqueue failed, nil if there is none. Ticks with the same
// task and options are of one entry.
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

// answer returns, of the ticks that may be meant and that asynq has not answered yet, the
// likeliest one, of several the oldest. It never returns nil where a tick may be meant: the
// number of ticks of a task is right even where two of them are taken for each other.
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

// likeness is that of an option, which may not be known, and what asynq says.
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
