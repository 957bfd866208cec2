package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Binding is an exchange and a routing key: where a message is sent to, or what a queue
// is bound to.
type Binding struct {
	Exchange, Key string
}

func (b Binding) String() string {
	if b.Exchange == "" {
		return fmt.Sprintf("the default exchange, key %q", b.Key)
	}
	return fmt.Sprintf("exchange %q, key %q", b.Exchange, b.Key)
}

// Route is the route that a probe of RabbitMQ takes.
type Route struct {
	From Binding
	// Queue is the destination of the message. If it is empty, the destination is a
	// temporary queue with the binding From.
	Queue string
	// Via are bindings of further temporary queues along the route.
	Via []Binding
	// Timeout is how long to wait for the message.
	Timeout time.Duration
}

// ErrBusy means that a queue has messages or consumers, so nothing was sent.
var ErrBusy = errors.New("the queue is in use; nothing was sent")

// grace is how long a message may outlive the wait for it.
const grace = 10 * time.Second

// AMQP sends a marked message and waits for it at its destination.
//
// The queue must be empty and without consumers: reading a message means taking it, and a
// queue in use would return other messages. The probe does not consume: it polls the number
// of messages, and only if there is one, fetches it with basic.get. If that is another
// message, it is put back and the probe ends. A consumer would receive every message, would
// block exclusive consumers, and its end would delete an auto-delete queue.
//
// The message expires soon after the timeout, and so disappears from the other queues that
// the exchange routes it to.
//
// A broker that blocks publishers answers nothing more on the connection, not even the
// closing of a channel, so the connection is closed if it does not answer at the end.
//
// An error means that there is no result: a message that is lost or damaged is a result.
func AMQP(ctx context.Context, conn *amqp.Connection, route Route) (*Result, error) {
	waiting, cancel := context.WithCancel(ctx)
	defer closeLate(waiting, conn)()
	defer cancel()
	ch, err := conn.Channel()
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	p := &amqpProbe{conn: conn, ch: ch, route: route, mark: NewMark()}
	if err := p.check(); err != nil {
		return nil, err
	}
	watch, err := openWatch(conn, p.mark, p.temporary())
	if err != nil {
		return nil, err
	}
	defer watch.close()
	defer cancel() // before anything is closed, which RabbitMQ may not answer
	p.result = &Result{ID: p.mark.ID, From: route.From.String(), Places: watch.places}
	if route.Queue != "" {
		p.result.Places = append(p.result.Places, Place{Name: fmt.Sprintf("queue %q", route.Queue)})
	}

	defer time.AfterFunc(route.Timeout, cancel).Stop()
	if err := p.publish(waiting); err != nil {
		return nil, err
	}
	if p.result.Outcome == "" {
		if err := p.await(waiting, watch); err != nil {
			return nil, fmt.Errorf("the message %s was sent and will expire: %w", p.mark.ID, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("interrupted; the message %s will expire: %w", p.mark.ID, err)
	}
	p.result.conclude()
	p.result.Notes = p.notes()
	return p.result, nil
}

// answerTime is how long RabbitMQ may take to answer once the waiting has ended.
const answerTime = 2 * time.Second

// closeLate closes a connection some time after ctx has ended, unless the returned function
// is called first.
func closeLate(ctx context.Context, conn *amqp.Connection) (stop func()) {
	answered := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-answered:
			return
		}
		select {
		case <-time.After(answerTime):
			_ = conn.CloseDeadline(time.Now())
		case <-answered:
		}
	}()
	return sync.OnceFunc(func() { close(answered) })
}

// notes say where else the message went. Listing those queues takes the management API or
// rabbitmqctl: AMQP has no method for it.
func (p *amqpProbe) notes() []string {
	if p.route.Queue != "" || !p.arrived() {
		return nil
	}
	return []string{fmt.Sprintf("every other queue to which the exchange routes this key got the message %s as well; unless "+
		"consumed, it expires there %v after it was sent. rabbitmqctl list_bindings shows these queues",
		p.mark.ID, p.route.Timeout+grace)}
}

type amqpProbe struct {
	conn   *amqp.Connection
	ch     *amqp.Channel
	route  Route
	mark   Mark
	sent   time.Time
	result *Result
}

// temporary returns the bindings of the temporary queues.
func (p *amqpProbe) temporary() []Binding {
	if p.route.Queue != "" {
		return p.route.Via
	}
	return append(slices.Clip(p.route.Via), p.route.From)
}

// check does the checks that are possible before anything is sent.
func (p *amqpProbe) check() error {
	if x := p.route.From.Exchange; x != "" {
		// The type does not matter to a passive declaration.
		if err := p.ch.ExchangeDeclarePassive(x, amqp.ExchangeDirect, false, false, false, false, nil); err != nil {
			return err
		}
	}
	if p.route.Queue == "" {
		return nil
	}
	q, err := p.state()
	if err != nil {
		return err
	}
	if q.Messages > 0 || q.Consumers > 0 {
		return fmt.Errorf("queue %q has %s and %s: %w", q.Name, count(q.Messages, "message"), count(q.Consumers, "consumer"), ErrBusy)
	}
	return p.checkReading()
}

// checkReading finds out whether the message could be taken out of the empty queue: it
// would stay in a stream, and in a queue that the user may not read.
func (p *amqpProbe) checkReading() error {
	d, ok, err := p.ch.Get(p.route.Queue, false)
	var refused *amqp.Error
	switch {
	case errors.As(err, &refused) && refused.Code == amqp.NotImplemented:
		return fmt.Errorf("queue %q is a stream, in which the message would stay; nothing was sent: %w", p.route.Queue, err)
	case err != nil:
		return fmt.Errorf("queue %q cannot be read; nothing was sent: %w", p.route.Queue, err)
	case ok: // it has just come
		return errors.Join(fmt.Errorf("queue %q has a message: %w", p.route.Queue, ErrBusy), d.Reject(true))
	}
	return nil
}

func (p *amqpProbe) state() (amqp.Queue, error) {
	return p.ch.QueueDeclarePassive(p.route.Queue, false, false, false, false, nil)
}

// publish sends the message, mandatory and confirmed.
func (p *amqpProbe) publish(ctx context.Context) error {
	if err := p.ch.Confirm(false); err != nil {
		return err
	}
	returns := p.ch.NotifyReturn(make(chan amqp.Return, 1))
	closed := p.ch.NotifyClose(make(chan *amqp.Error, 1))
	headers := amqp.Table{}
	for k, v := range p.mark.headers() {
		headers[k] = v
	}
	p.sent = time.Now()
	confirmation, err := p.ch.PublishWithDeferredConfirmWithContext(ctx, p.route.From.Exchange, p.route.From.Key, true, false, amqp.Publishing{
		Headers:     headers,
		ContentType: "application/json",
		Body:        []byte(`{"mqtrace_probe":"` + p.mark.ID + `"}`),
		MessageId:   p.mark.ID,
		Type:        "mqtrace.probe",
		AppId:       "mqtrace",
		Expiration:  strconv.FormatInt((p.route.Timeout + grace).Milliseconds(), 10),
	})
	if err != nil {
		return err
	}
	acked, err := confirmation.WaitContext(ctx)
	switch {
	case err != nil:
		p.result.Reason = "RabbitMQ has not confirmed the message; does it block publishers?"
		p.result.Outcome = NotArrived
	case p.ch.IsClosed():
		if reason := <-closed; reason != nil { // nil if the connection was closed in order
			return reason
		}
		return amqp.ErrClosed
	case !acked:
		p.result.Reason = "RabbitMQ has refused the message (basic.nack): a queue is full or not available"
		p.result.Outcome = NotArrived
	default:
		select {
		case r := <-returns: // The return comes before the confirmation.
			p.result.Reason = fmt.Sprintf("RabbitMQ returned the message: %d %s", r.ReplyCode, r.ReplyText)
			p.result.Outcome = Unroutable
		default:
		}
	}
	return nil
}
