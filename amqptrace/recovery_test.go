package amqptrace_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Programs that publish while the host recovers the channel: each message gets its own
// outcome and not another's, and all get one again after the recovery.
func TestConfirmationsAfterARecovery(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		network, ch, queue, full := recovering(t, url)
		pub := amqptrace.NewPublisher(ch)
		const cuts, between = 3, 400 * time.Millisecond
		ended := make(chan struct{})
		goesOn := func() bool {
			select {
			case <-ended:
				return false
			default:
				return true
			}
		}
		var mu sync.Mutex
		wrong := map[string]int{}
		right := 0 // since the last cut
		var wg sync.WaitGroup
		wg.Go(func() { // nobody waits for these
			for goesOn() {
				_, _ = pub.PublishDeferred(context.Background(), "", queue, false, false, amqp.Publishing{})
				time.Sleep(time.Millisecond)
			}
		})
		wg.Go(func() { // nor are these the publisher's own
			for goesOn() {
				_ = amqptrace.NewPublisher(ch).PublishWithContext(context.Background(), "", queue, false, false, amqp.Publishing{})
				time.Sleep(time.Millisecond)
			}
		})
		for g := range 6 {
			wg.Go(func() {
				for i := g; goesOn(); i++ {
					key := []string{queue, full}[i%2]
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					err := pub.PublishConfirmed(ctx, "", key, true, false, amqp.Publishing{})
					cancel()
					mu.Lock()
					switch refused := errors.Is(err, amqptrace.ErrNacked); {
					case err == nil && key == full:
						wrong["acked, and the broker has refused it"]++
					case refused && key == queue:
						wrong["refused, and the broker has it"]++
					case errors.Is(err, context.DeadlineExceeded):
						wrong["never confirmed"]++
					case err == nil || refused:
						right++
					}
					mu.Unlock()
					time.Sleep(100 * time.Microsecond)
				}
			})
		}
		for range cuts {
			time.Sleep(between)
			network.cut()
			mu.Lock()
			right = 0
			mu.Unlock()
		}
		for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
			mu.Lock()
			done := right > 10
			mu.Unlock()
			if done {
				break
			}
		}
		close(ended)
		wg.Wait()
		if len(wrong) > 0 || right == 0 {
			t.Errorf("%v, and %d messages were confirmed after the last recovery", wrong, right)
		}
	})
}

// One goroutine that publishes again without a pause when the channel was closed.
func TestPublisherThatTriesAgain(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		network, ch, queue, _ := recovering(t, url)
		pub := amqptrace.NewPublisher(ch)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		publish := func() error { return pub.PublishConfirmed(ctx, "", queue, true, false, amqp.Publishing{}) }
		if err := publish(); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			network.cut()
			for confirmed := 0; confirmed < 10; {
				switch err := publish(); {
				case err == nil:
					confirmed++
				case errors.Is(err, context.DeadlineExceeded):
					t.Fatal("nothing is confirmed any more")
				default: // the channel is closed, or the connection has broken under the write
					time.Sleep(100 * time.Microsecond)
				}
			}
		}
	})
}

// slipping is a host whose next message meets a recovery: the call begins before the
// channel is closed, and sends after it has been reopened.
type slipping struct {
	*amqp.Channel

	cut  func()
	open chan *amqp.StateChanged
}

func (s *slipping) PublishWithDeferredConfirmWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	if s.cut != nil {
		s.cut()
		s.cut = nil
		for change := range s.open {
			if change.To == amqp.StateOpen {
				break
			}
		}
	}
	return s.Channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
}

// A publisher cannot know whether the host counts a message that met a recovery as RabbitMQ
// does. It believes no confirmation from then on, until the channel is closed again.
func TestMessageThatMeetsARecovery(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		for name, refused := range map[string]bool{"acked": false, "refused": true} {
			t.Run(name, func(t *testing.T) { testMessageThatMeetsARecovery(t, url, refused) })
		}
	})
}

// The message's own confirmation, or what is taken for it, is not believed either: the host
// also resolves confirmations as refused when it recovers the channel.
func testMessageThatMeetsARecovery(t *testing.T, url string, refused bool) {
	t.Helper()
	network, ch, queue, full := recovering(t, url)
	host := &slipping{Channel: ch, open: make(chan *amqp.StateChanged, 100)}
	ch.NotifyStateChange(host.open)
	rec := newRecorder(t)
	pub := amqptrace.NewPublisher(host, rec.options()...)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	to := queue
	publish := func() (outcome any, err error) {
		rec.Reset()
		err = pub.PublishConfirmed(ctx, "", to, true, false, amqp.Publishing{})
		return attributes(rec.only(t))["mqtrace.publish.outcome"], err
	}
	if outcome, err := publish(); err != nil || outcome != "acked" {
		t.Fatal(err, outcome)
	}
	host.cut = network.cut
	if refused {
		to = full
	}
	for range 3 {
		if outcome, err := publish(); !errors.Is(err, amqptrace.ErrClosed) || outcome != "unknown" {
			t.Errorf("error %v, outcome %v, want ErrClosed and unknown", err, outcome)
		}
		to = queue
	}
	network.cut()
	for {
		outcome, err := publish()
		if err == nil && outcome == "acked" {
			return
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("nothing is confirmed any more")
		}
		time.Sleep(time.Millisecond)
	}
}

// While the channel is closed nothing waits: the error is that of the host.
func TestPublisherOnALostConnection(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		network, ch, queue, _ := recovering(t, url)
		pub := amqptrace.NewPublisher(ch)
		if err := pub.PublishConfirmed(context.Background(), "", queue, true, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		_ = network.Close() // it cannot be dialled again
		network.cut()
		for began := time.Now(); !ch.IsClosed() && time.Since(began) < patience; time.Sleep(time.Millisecond) {
		}
		done, cancel := context.WithCancel(context.Background())
		cancel()
		if err := pub.PublishConfirmed(done, "", queue, true, false, amqp.Publishing{}); !errors.Is(err, amqp.ErrClosed) {
			t.Errorf("error %v, want ErrClosed without a wait", err)
		}
		if err := pub.PublishWithContext(done, "", queue, true, false, amqp.Publishing{}); !errors.Is(err, amqp.ErrClosed) {
			t.Errorf("error %v, want ErrClosed without a wait", err)
		}
	})
}

// revived is a host that closes its listeners for good and is open nevertheless, as
// amqp091-go's channel is if it could not be recovered and its connection could.
type revived struct {
	*amqp.Channel

	closes chan *amqp.Error
	states int // listeners
}

func (r *revived) NotifyStateChange(c chan *amqp.StateChanged) {
	r.states++
	r.Channel.NotifyStateChange(c)
}

func (r *revived) NotifyClose(c chan *amqp.Error) chan *amqp.Error {
	if r.closes != nil { // again, after the end
		close(c)
		return c
	}
	r.closes = c
	return c
}

func (r *revived) NotifyReturn(c chan amqp.Return) chan amqp.Return {
	close(c)
	return c
}

// Nothing reports the closings and the returns of such a channel, so its confirmations may be
// those of other messages, and they may never come.
func TestChannelThatIsOpenAfterItsEnd(t *testing.T) {
	onBrokers(t, func(t *testing.T, ch *amqp.Channel) {
		host := &revived{Channel: ch}
		rec := newRecorder(t)
		pub := amqptrace.NewPublisher(host, rec.options()...)
		publish := func() error {
			return pub.PublishConfirmed(t.Context(), "", "nowhere", false, false, amqp.Publishing{})
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		if err := publish(); err != nil {
			t.Fatal(err)
		}
		host.closes <- amqp.ErrClosed
		close(host.closes)
		for began := time.Now(); publish() == nil; {
			if time.Since(began) > patience {
				t.Fatal("confirmations are trusted")
			}
		}
		rec.Reset()
		if err := publish(); !errors.Is(err, amqptrace.ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
		if got := attributes(rec.only(t))["mqtrace.publish.outcome"]; got != "unknown" {
			t.Errorf("outcome %v, want unknown", got)
		}
		if host.states != 1 {
			t.Errorf("%d listeners of states, which the host never removes", host.states)
		}
	})
}

// silent is a host on a broker that confirms nothing. The test reports its closings and
// openings.
type silent struct {
	*amqp.Channel

	closes  chan *amqp.Error
	states  chan *amqp.StateChanged
	publish func() // called before each message is sent
}

func (s *silent) NotifyClose(c chan *amqp.Error) chan *amqp.Error {
	s.closes = c
	return c
}

func (s *silent) NotifyStateChange(c chan *amqp.StateChanged) { s.states = c }

func (s *silent) PublishWithDeferredConfirmWithContext(
	ctx context.Context, exchange, key string, mandatory, immediate bool, msg amqp.Publishing,
) (*amqp.DeferredConfirmation, error) {
	s.publish()
	return s.Channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, mandatory, immediate, msg)
}

func newSilent(t *testing.T) *silent {
	t.Helper()
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	b.DelayConfirms(time.Hour)
	s := &silent{Channel: open(t, b.URL()), publish: func() {}}
	if err := errors.Join(s.Confirm(false), declare(s.Channel, "q", nil)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // ends what follows the channel
		close(s.closes)
		_ = s.Close()
	})
	return s
}

// amqp091-go resolves the confirmations of a closed channel only if it recovers the channel,
// which it may fail to begin.
func TestConfirmationsOfAChannelThatStaysClosed(t *testing.T) {
	host := newSilent(t)
	pub := amqptrace.NewPublisher(host)
	var confirmations []*amqptrace.Confirmation
	for _, mandatory := range []bool{false, true} {
		c, err := pub.PublishDeferred(t.Context(), "", "q", mandatory, false, amqp.Publishing{})
		if err != nil {
			t.Fatal(err)
		}
		confirmations = append(confirmations, c)
	}
	time.AfterFunc(10*time.Millisecond, func() { // while Wait waits
		host.closes <- &amqp.Error{Code: amqp.NotFound, Reason: "no exchange", Server: true}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, c := range confirmations {
		var reason *amqp.Error
		if err := c.Wait(ctx); !errors.Is(err, amqptrace.ErrClosed) || !errors.As(err, &reason) || reason.Code != amqp.NotFound {
			t.Errorf("error %v, want ErrClosed with its reason", err)
		}
	}
}

// A confirmation that may be of another message is not waited for, and what the broker returns
// is known nevertheless.
func TestConfirmationsThatMayNotCome(t *testing.T) {
	host := newSilent(t)
	pub := amqptrace.NewPublisher(host)
	first, err := pub.PublishDeferred(t.Context(), "", "amq.none", false, false, amqp.Publishing{})
	if err != nil {
		t.Fatal(err)
	}
	host.publish = func() { // a recovery that the message slips into
		host.closes <- amqp.ErrClosed
		for len(host.closes) > 0 {
			time.Sleep(time.Millisecond)
		}
		host.states <- &amqp.StateChanged{From: amqp.StateReconnecting, To: amqp.StateOpen}
		host.publish = func() {}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	if err := pub.PublishConfirmed(ctx, "", "amq.none", false, false, amqp.Publishing{}); !errors.Is(err, amqptrace.ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	if err := first.Wait(ctx); !errors.Is(err, amqptrace.ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	if err := pub.PublishConfirmed(ctx, "", "amq.none", true, false, amqp.Publishing{}); !errors.Is(err, amqptrace.ErrReturned) {
		t.Errorf("error %v, want ErrReturned", err)
	}
	if took := time.Since(began); took > patience/2 {
		t.Errorf("took %v", took)
	}
}

// While the host restores the topology, the broker closes the channel since a queue has changed.
// The host reports this only as a change of state, after it has resolved the confirmations.
func TestChannelClosedWhileItsTopologyIsRestored(t *testing.T) {
	for range 2 { // it is a race
		testChannelClosedWhileItsTopologyIsRestored(t)
	}
}

func testChannelClosedWhileItsTopologyIsRestored(t *testing.T) {
	t.Helper()
	var restoring atomic.Bool
	declaring, published := make(chan struct{}), make(chan struct{})
	b, err := amqpbroker.Start(amqpbroker.WithFrameHook(func(f amqpbroker.Frame) {
		if queueDeclare := []byte{0, 50, 0, 10}; f.FromClient && bytes.HasPrefix(f.Payload, queueDeclare) && restoring.Swap(false) {
			close(declaring)
			<-published
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	network, ch, queue, _ := recovering(t, b.URL())
	states := make(chan *amqp.StateChanged, 10)
	ch.NotifyStateChange(states)
	pub := amqptrace.NewPublisher(ch)
	if err := pub.PublishConfirmed(t.Context(), "", "nowhere", false, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	direct := open(t, b.URL())
	if _, err := direct.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	if err := declare(direct, queue, amqp.Table{"x-max-length": int32(1)}); err != nil {
		t.Fatal(err)
	}
	b.DelayConfirms(time.Hour)
	restoring.Store(true)
	network.cut()
	<-declaring
	var c *amqptrace.Confirmation
	for c == nil {
		if c, err = pub.PublishDeferred(t.Context(), "", "nowhere", false, false, amqp.Publishing{}); err != nil {
			time.Sleep(time.Millisecond)
		}
	}
	close(published)
	if err := c.Wait(t.Context()); !errors.Is(err, amqptrace.ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
}
