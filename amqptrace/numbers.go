package amqptrace

// maxAhead bounds the numbers that are kept while messages with lower ones are still being
// sent, or are sent by something else.
const maxAhead = 64

// numbers are those that the host has given to messages, one after the other. The zero value
// is none.
type numbers struct {
	upTo  uint64 // these have been given
	ahead map[uint64]struct{}
}

// add reports whether the number is new. One that was given while many later ones were noted
// seems not to be.
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
