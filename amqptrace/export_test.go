package amqptrace

// Expected is how many messages the publisher keeps an eye on for their return.
func (p *Publisher) Expected() int {
	p.state.returns.mu.Lock()
	defer p.state.returns.mu.Unlock()
	return len(p.state.expected)
}

// ChannelsKnown is of how many channels something is known.
func ChannelsKnown() (n int) {
	channels.Range(func(any, any) bool { n++; return true })
	return n
}

// ConnectionsKnown is of how many connections the place is known.
func ConnectionsKnown() (n int) {
	connections.Range(func(any, any) bool { n++; return true })
	return n
}
