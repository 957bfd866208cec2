package amqptrace

import (
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	amqp "github.com/rabbitmq/amqp091-go"
)

// channels holds the state of each *amqp.Channel that a publisher or consumer uses. The
// host cannot remove a listener, and a program may make a publisher for each message, so
// all publishers and consumers on a channel share its listeners. The keys are weak, and an
// entry is removed with its channel.
var channels sync.Map // of *channelState by weak.Pointer[amqp.Channel]

// channelState is what is known about a host's channel beyond what its methods report.
type channelState struct {
	recovery
	returns
	closeReasons

	once      sync.Once
	listening atomic.Bool        // to closings
	recovers  atomic.Bool        // the host reports when it recovers the channel
	over      atomic.Bool        // the host has closed a listener, for good
	ended     chan struct{}      // closed once there is nothing to listen to any more
	flush     chan chan struct{} // requests to follow, see readAll
}

// stateOf returns the state of a host's channel. A host that is not an *amqp.Channel, such
// as a pool, gets a new state each time.
func stateOf(host any) *channelState {
	ch, ok := host.(*amqp.Channel)
	if !ok || ch == nil {
		return newChannelState()
	}
	key := weak.Make(ch)
	if s, ok := channels.Load(key); ok {
		return s.(*channelState) //nolint:forcetypeassert // nothing else is stored
	}
	s, loaded := channels.LoadOrStore(key, newChannelState())
	if !loaded {
		runtime.AddCleanup(ch, func(key weak.Pointer[amqp.Channel]) { channels.Delete(key) }, key)
	}
	return s.(*channelState) //nolint:forcetypeassert // nothing else is stored
}

func newChannelState() *channelState {
	return &channelState{ended: make(chan struct{}), flush: make(chan chan struct{})}
}

// listenerSize is how many notifications may wait for the goroutine. More of them block the
// connection's reader.
const listenerSize = 64

// listen starts to follow the outcome of confirmed messages. It is called before the first
// one is sent.
func (s *channelState) listen(host Channel) {
	s.once.Do(func() {
		var l listeners
		defer func() {
			if l.returns == nil && l.closes == nil { // or the host has panicked
				close(s.ended)
				return
			}
			go s.follow(l)
		}()
		if h, ok := host.(interface {
			NotifyClose(c chan *amqp.Error) chan *amqp.Error
		}); ok {
			l.closes = h.NotifyClose(make(chan *amqp.Error, listenerSize))
		}
		h, reports := host.(interface {
			NotifyStateChange(c chan *amqp.StateChanged)
		})
		s.recovers.Store(reports && l.closes != nil)
		s.listening.Store(l.closes != nil)
		select {
		case e, ok := <-l.closes: // at once if the channel is closed for good
			s.closed(&l, e, ok)
		default:
		}
		if s.over.Load() {
			return // while a wrapper is down, each publish comes here, and must leave no listener
		}
		if h, ok := host.(interface {
			NotifyReturn(c chan amqp.Return) chan amqp.Return
		}); ok {
			l.returns = h.NotifyReturn(make(chan amqp.Return, listenerSize))
		}
		s.listens = l.returns != nil
		// The host keeps a listener of states for as long as the channel is in memory.
		if reports && l.closes != nil {
			l.states = make(chan *amqp.StateChanged, listenerSize)
			h.NotifyStateChange(l.states)
		}
	})
}

// listeners are the host's notification channels. One that the host does not support, or
// has closed, is nil.
type listeners struct {
	returns chan amqp.Return
	closes  chan *amqp.Error
	states  chan *amqp.StateChanged
}

// follow reads the listeners for as long as the host's channel lives. A listener that is
// not read blocks the whole connection.
func (s *channelState) follow(l listeners) {
	defer close(s.ended)
	for l.returns != nil || l.closes != nil {
		select {
		case r, ok := <-l.returns:
			s.returned(&l, r, ok)
		case e, ok := <-l.closes:
			s.closed(&l, e, ok)
		case c, ok := <-l.states:
			s.changed(&l, c, ok)
		case done := <-s.flush:
			for s.readOne(&l) {
			}
			close(done)
		}
	}
}

// readOne reads a pending notification. Closings come first, since they precede the change
// of state that they lead to.
func (s *channelState) readOne(l *listeners) bool {
	select {
	case e, ok := <-l.closes:
		s.closed(l, e, ok)
		return true
	default:
	}
	select {
	case r, ok := <-l.returns:
		s.returned(l, r, ok)
	case c, ok := <-l.states:
		s.changed(l, c, ok)
	default:
		return false
	}
	return l.returns != nil || l.closes != nil
}

func (s *channelState) returned(l *listeners, r amqp.Return, ok bool) {
	if !ok {
		l.returns = nil
		s.over.Store(true)
		return
	}
	s.note(&r)
}

func (s *channelState) closed(l *listeners, e *amqp.Error, ok bool) {
	if !ok {
		l.closes = nil
		s.over.Store(true)
	}
	s.recovery.closed(e, !ok, s.recovers.Load())
}

func (s *channelState) changed(l *listeners, c *amqp.StateChanged, ok bool) {
	if !ok {
		l.states = nil
		return
	}
	for len(l.closes) > 0 {
		e, ok := <-l.closes
		s.closed(l, e, ok)
	}
	s.recovery.changed(c.To)
}

// readAll makes sure that every notification sent so far has been read.
func (s *channelState) readAll() {
	done := make(chan struct{})
	select {
	case s.flush <- done:
		<-done
	case <-s.ended:
	}
}

// take returns the return of a message that is confirmed, or nil if there was none. The
// broker sends the return before the confirmation, and amqp091-go delivers them in that
// order, but our goroutine, which reads the return from a channel, has to catch up first.
// https://www.rabbitmq.com/docs/confirms#when-publishes-are-confirmed
func (s *channelState) take(id string) *amqp.Return {
	if id == "" {
		return nil
	}
	s.readAll()
	return s.get(id)
}
