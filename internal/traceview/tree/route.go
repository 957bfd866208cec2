package tree

import (
	"slices"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/messaging"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// Routes knows to which queues an exchange routes a message, learned from where others with
// the same exchange and routing key arrived. A nil Routes knows none.
type Routes struct {
	known map[route][]branch
}

// route is an exchange, or its template, and a routing key.
type route struct{ exchange, key string }

func routeOf(d messaging.Destination) route { return route{d.Exchange, d.Key} }

// branch is a queue of a route.
type branch struct {
	queue string
	// A message sent between first and until is expected in the queue. until is zero if no
	// message is.
	first, until time.Time
}

const (
	// trusted is the minimum time for which a queue is expected to receive messages after
	// its last one.
	trusted = 15 * time.Minute
	// mostOfThem is the percentage of a route's messages that a queue has to receive to be
	// expected to receive the next. A queue that receives fewer takes turns with others, or
	// selects by headers.
	mostOfThem = 75
	// few is how many messages a queue must have received for the first of them to count as
	// the time at which it was bound: a queue that receives a message now and then is not
	// expected to receive the next.
	few = 5
)

// LearnRoutes returns the routes observed for the messages of the traces.
func LearnRoutes(traces []spans.Trace, takers Takers) *Routes {
	seen := make(map[route]*sightings)

	for _, tr := range traces {
		for i := range tr.Spans {
			s := &tr.Spans[i]

			d := messaging.DestinationOf(s)
			if d.Exchange == "" || !Sent(s) {
				continue
			}

			if queues := firstQueues(takers[SpanRef{s.TraceID, s.SpanID}]); len(queues) > 0 {
				if seen[routeOf(d)] == nil {
					seen[routeOf(d)] = &sightings{in: make(map[string]*sighting)}
				}

				seen[routeOf(d)].add(s.End, queues)
			}
		}
	}

	r := &Routes{known: make(map[route][]branch, len(seen))}
	for to, s := range seen {
		r.known[to] = s.branches()
	}

	return r
}

// firstQueues returns the queues into which the exchange itself put a message. A
// dead-lettered message reached its consumer's queue through another exchange.
func firstQueues(takers []*spans.Span) []string {
	var queues []string

	for _, s := range takers {
		queue := messaging.DestinationOf(s).Queue
		if given := messaging.DeadLetterQueues(s); len(given) > 0 {
			queue = given[len(given)-1]
		}

		if queue != "" && !slices.Contains(queues, queue) {
			queues = append(queues, queue)
		}
	}

	return queues
}

// sightings are the messages of a route that were seen in a queue.
type sightings struct {
	sent  []time.Time
	names []string
	in    map[string]*sighting
}

// sighting is what was seen in one queue: how many messages, and when the first and the
// last of them were sent.
type sighting struct {
	count       int
	first, last time.Time
}

func (s *sightings) add(sent time.Time, queues []string) {
	s.sent = append(s.sent, sent)

	for _, name := range queues {
		in := s.in[name]
		if in == nil {
			in = &sighting{first: sent, last: sent}
			s.in[name] = in
			s.names = append(s.names, name)
		}

		in.count++

		if sent.Before(in.first) {
			in.first = sent
		}

		if sent.After(in.last) {
			in.last = sent
		}
	}
}

func (s *sightings) branches() []branch {
	slices.SortFunc(s.sent, time.Time.Compare)

	branches := make([]branch, 0, len(s.names))

	for _, name := range s.names {
		in := s.in[name]
		b := branch{queue: name, first: in.first}

		from := 0
		if in.count >= few {
			from, _ = slices.BinarySearchFunc(s.sent, in.first, time.Time.Compare)
		}

		to, _ := slices.BinarySearchFunc(s.sent, in.last, func(a, b time.Time) int {
			if a.After(b) {
				return 1
			}

			return -1
		})

		// The broker deletes a queue that it named itself as soon as its consumer is gone.
		if !messaging.Generated(name) && in.count*100 >= (to-from)*mostOfThem {
			b.until = in.last.Add(max(trusted, in.last.Sub(in.first)))
		}

		branches = append(branches, b)
	}

	return branches
}

// Queues returns all queues in which messages to the destination were ever seen.
func (r *Routes) Queues(to messaging.Destination) []string {
	if r == nil {
		return nil
	}

	var names []string
	for _, b := range r.known[routeOf(to)] {
		names = append(names, b.queue)
	}

	return names
}

// Expected returns the queues in which a message sent at the given time should arrive:
// those that receive most of the route's messages. After its last message, a queue is
// expected to receive more for as long as it had been receiving them, and for at least 15
// minutes. After that it may have been unbound.
func (r *Routes) Expected(to messaging.Destination, sent time.Time) []string {
	if r == nil || to.Exchange == "" {
		return nil
	}

	var names []string

	for _, b := range r.known[routeOf(to)] {
		if !sent.Before(b.first) && !sent.After(b.until) {
			names = append(names, b.queue)
		}
	}

	return names
}

// WaitsIn reports whether the span sent a message that waits: nothing has consumed it, or
// not in every queue in which it is expected. in has the queues in which it waits, if they
// had to be learned from other messages.
func (r *Routes) WaitsIn(s *spans.Span, takers []*spans.Span) (in []string, waits bool) {
	if !Sent(s) || len(takers) > 0 && r == nil {
		return nil, false
	}

	d := messaging.DestinationOf(s)
	if d.Queue != "" {
		return nil, len(takers) == 0
	}

	in = r.Expected(d, s.End)
	if len(takers) > 0 {
		in = notTaken(in, takers)

		return in, len(in) > 0
	}

	if len(in) == 0 {
		in = r.Queues(d)
	}

	return in, true
}
