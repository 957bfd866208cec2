package amqptrace

// Expected returns how many messages the publisher watches for returns.
func (p *Publisher) Expected() int {
	r := &p.state.Load().returns
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.expected)
}

// ChannelsKnown returns the number of channels with state.
func ChannelsKnown() (n int) {
	channels.Range(func(any, any) bool { n++; return true })
	return n
}

// ConnectionsKnown returns the number of connections whose address is known.
func ConnectionsKnown() (n int) {
	connections.Range(func(any, any) bool { n++; return true })
	return n
}

// UpTo returns the number up to which all are known to have been given.
func UpTo(given []uint64) uint64 {
	var n numbers
	for _, number := range given {
		n.add(number)
	}
	return n.upTo
}

// Retries are the deliveries, here numbers, that failed.
type Retries struct{ retries[int] }

func (r *Retries) Failed(deliveries ...int) { r.failed(deliveries...) }
func (r *Retries) Again(delivery int) bool  { return r.again(delivery) }
func (r *Retries) Empty() bool              { return r.empty() }
