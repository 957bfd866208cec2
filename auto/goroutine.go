package auto

import (
	"context"
	"sync/atomic"

	stack "github.com/DataDog/orchestrion/runtime/context"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"
)

// A node is one thing known about a goroutine, linked to what was known before.
type node struct {
	before *node

	inside   bool         // the goroutine is in our own code: hooks do nothing
	scope    *scope       // the goroutine is working for a message or a request
	got      *attempt     // the goroutine got this message by Get
	consumer *consumption // the goroutine, or one that started it, has called Consume
	reads    bool         // and has settled a message of that consumer
}

// A scope is a call that works in a context. A goroutine that is started in it and outlives
// it no longer belongs to it: a pool that a handler starts on first use must not stay tied
// to that message.
type scope struct {
	ctx  context.Context
	over atomic.Bool
}

// goroutines holds the states of goroutines. A stack has at most one element, since only
// the top is visible.
type goroutines struct{}

func (goroutines) Main() *stack.Stack[*node] { return nil }

// Go is called when a goroutine starts another one. Being inside our own code is not
// inherited by the new goroutine.
func (goroutines) Go(parent *stack.Stack[*node]) *stack.Stack[*node] {
	if parent == nil || len(*parent) == 0 {
		return nil
	}
	n := (*parent)[len(*parent)-1]
	for n != nil && (n.inside || n.scope != nil && n.scope.over.Load()) {
		n = n.before
	}
	if n == nil {
		return nil
	}
	return &stack.Stack[*node]{n}
}

func (goroutines) ChanRecv(own, _ *stack.Stack[*node]) *stack.Stack[*node] { return own }
func (goroutines) ChanSend(*stack.Stack[*node]) *stack.Stack[*node]        { return nil }

var goroutine = stack.Register[*node](goroutines{})

func top() *node {
	n, _ := goroutine.Peek()
	return n
}

func set(n *node) {
	if _, ok := goroutine.Peek(); ok {
		goroutine.Pop()
	}
	if n != nil {
		goroutine.Push(n)
	}
}

// isWoven reports whether the states of goroutines are kept. Without them, a hook that
// calls the function it replaces would mistake its own call for the program's.
func isWoven() bool {
	before, probe := top(), new(node)
	set(probe)
	defer set(before)
	return top() == probe
}

// enter makes hooks ignore this goroutine until leave is called with the result of enter.
func enter() (before *node) {
	before = top()
	set(&node{before: before, inside: true})
	return before
}

func leave(before *node) { set(before) }

func isInside() bool {
	n := top()
	return n != nil && n.inside
}

// begin makes ctx the context of the goroutine until end is called.
func begin(ctx context.Context) (s *scope, before *node) {
	before = top()
	s = &scope{ctx: ctx}
	set(&node{before: before, scope: s})
	return s, before
}

func (s *scope) end(before *node) {
	s.over.Store(true)
	set(before)
}

// note records what the goroutine has done, until the goroutine ends or that is over.
func note(n *node) {
	before := top()
	for before != nil && (before.got != nil || before.consumer != nil &&
		(before.consumer == n.consumer || before.consumer.over.Load())) {
		before = before.before
	}
	n.before = before
	set(n)
}

// current returns ctx or, if ctx has no span, ctx with the span and the baggage of what the
// goroutine is working for.
func current(ctx context.Context) context.Context {
	if ctx == nil {
		ctx = context.Background()
	}
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	found := top().context()
	if found == nil {
		return ctx
	}
	if baggage.FromContext(ctx).Len() == 0 {
		ctx = baggage.ContextWithBaggage(ctx, baggage.FromContext(found))
	}
	return trace.ContextWithSpan(ctx, trace.SpanFromContext(found))
}

// context returns the context of what the goroutine is working for, or nil if that is not
// certain.
func (n *node) context() context.Context {
	var consumer *consumption
	for ; n != nil; n = n.before {
		switch {
		case n.scope != nil && !n.scope.over.Load():
			return n.scope.ctx
		case n.got != nil:
			if ctx := n.got.context(); ctx != nil {
				return ctx
			}
		case n.consumer == nil || n.consumer.over.Load():
		case n.reads:
			return n.consumer.only()
		case consumer != nil:
			return nil // ambiguous
		default:
			consumer = n.consumer
		}
	}
	if consumer == nil || consumer.known.Load() {
		return nil
	}
	return consumer.only()
}
