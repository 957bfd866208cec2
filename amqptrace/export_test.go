package amqptrace

// Expected is how many messages the publisher keeps an eye on for their return.
func (p *Publisher) Expected() int {
	p.returns.mu.Lock()
	defer p.returns.mu.Unlock()
	return len(p.returns.expected)
}
