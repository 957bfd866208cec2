package amqptrace

// maxAhead bounds the numbers that are kept while messages with lower numbers are still
// being sent, or if something else sends them.
const maxAhead = 64

// numbers is the set of numbers that the host has given to messages. The zero value is
// empty.
type numbers struct {
	upTo  uint64 // all up to this one have been given
	ahead map[uint64]struct{}
}

// add reports whether the number is new. A number that is noted after more than maxAhead
// higher ones counts as not new.
func (n *numbers) add(number uint64) bool {
	isNew := number > n.upTo
	switch {
	case n.upTo == 0 || number == n.upTo+1:
		n.upTo = number
	case number > n.upTo:
		if n.ahead == nil {
			n.ahead = make(map[uint64]struct{})
		}
		n.ahead[number] = struct{}{}
	}
	if len(n.ahead) > maxAhead {
		for number := range n.ahead {
			n.upTo = max(n.upTo, number)
		}
		clear(n.ahead)
	}
	for len(n.ahead) > 0 {
		if _, ok := n.ahead[n.upTo+1]; !ok {
			break
		}
		n.upTo++
		delete(n.ahead, n.upTo)
	}
	return isNew
}
