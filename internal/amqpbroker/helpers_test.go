package amqpbroker_test

import (
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// start runs a broker that is closed when the test ends.
func start(t testing.TB, opts ...amqpbroker.Option) *amqpbroker.Broker {
	t.Helper()
	b, err := amqpbroker.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func parse(t *testing.T, server string) *url.URL {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// connect opens a connection with channel 1 that is closed when the test ends.
func connect(t *testing.T, server string) *peer {
	t.Helper()
	p := openPeer(t, parse(t, server), nil)
	t.Cleanup(func() {
		p.method(0, "connection.close", nil)
		p.sock.Close()
	})
	p.ask("channel.open", nil, "channel.open-ok")
	return p
}

// ask sends a method on channel 1 and returns the answer, which must begin with want.
func (p *peer) ask(method string, args map[string]string, want string) string {
	p.t.Helper()
	p.method(1, method, args)
	return p.expect(want)
}

// expect returns the next method, which must begin with want.
func (p *peer) expect(want string) string {
	p.t.Helper()
	if p.in == nil {
		p.t.Fatalf("the server has ended the connection, want %s", want)
	}
	got, ok := p.next(patience)
	if !ok {
		p.t.Fatalf("nothing came, want %s", want)
	}
	if !strings.HasPrefix(got, want) {
		p.t.Fatalf("%.200q came, want %s", got, want)
	}
	return got
}

// declare declares a queue and returns its name.
func (p *peer) declare() string {
	p.t.Helper()
	q := unique("q")
	p.ask("queue.declare", map[string]string{"queue": q, "durable": ""}, "queue.declare-ok queue="+q)
	return q
}

// holds returns how many messages a queue has ready, and how many consumers.
func (p *peer) holds(queue string) (messages, consumers int) {
	p.t.Helper()
	got := p.ask("queue.declare", map[string]string{"queue": queue, "passive": ""}, "queue.declare-ok queue="+queue)
	for word := range strings.FieldsSeq(got) { // zero is left out
		_, _ = fmt.Sscanf(word, "message-count=%d", &messages)
		_, _ = fmt.Sscanf(word, "consumer-count=%d", &consumers)
	}
	return messages, consumers
}

// consume starts to consume messages that need no acknowledgement.
func (p *peer) consume(queue, tag string) {
	p.t.Helper()
	args := map[string]string{"queue": queue, "consumer-tag": tag, "no-ack": ""}
	p.ask("basic.consume", args, "basic.consume-ok consumer-tag="+tag)
}

func (p *peer) publish(queue, body string) {
	p.method(1, "basic.publish", map[string]string{"routing-key": queue, "body": body})
}

// wellServed checks that a queue still works for p, which consumes from it. The test's other
// peers do nothing meanwhile, so a message that arrives has not waited for them.
func wellServed(p *peer, queue string) {
	p.t.Helper()
	p.publish(queue, "still here")
	got := p.expect("basic.deliver ")
	if !strings.HasSuffix(got, " routing-key="+queue+" body=still here") {
		p.t.Errorf("received %.200q, which is not the message", got)
	}
}

// returns fails the test if the function that it calls does not return.
func returns(t *testing.T, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
