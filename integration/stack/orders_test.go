//go:build stack

package stack_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// kind is a course that an order can take.
type kind struct {
	name              string
	email, token, sku string
	status            int    // of the answer
	emails            int    // attempts to send one
	reason            string // why its trace is kept, whatever else happens to it
}

var (
	good        = kind{name: "good", status: http.StatusCreated, emails: 1}
	flaky       = kind{name: "flaky", email: "flaky@example.com", status: http.StatusCreated, emails: 2, reason: "error"}
	soldOut     = kind{name: "sold out", sku: "samovar", status: http.StatusConflict}
	declined    = kind{name: "declined", token: "tok_declined", status: http.StatusPaymentRequired, reason: "error"}
	unavailable = kind{name: "unavailable", token: "tok_unavailable", status: http.StatusBadGateway, reason: "error"}
	panics      = kind{name: "panic", token: "tok_panic", status: http.StatusBadGateway, reason: "error"}
	delayed     = kind{name: "slow", token: "tok_slow", status: http.StatusCreated, emails: 1, reason: "slow"}
)

func (k kind) body() string {
	or := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return text
	}
	return `{"email":"` + or(k.email, "customer@example.com") + `","payment_token":"` + or(k.token, "tok_ok") +
		`","items":[{"sku":"` + or(k.sku, "tea") + `","quantity":1}]}`
}

// order is an order that was sent, answered or not.
type order struct {
	kind

	trace    string
	answered int // status, or 0 if there was none
	took     time.Duration
}

// maxInFlight is how many orders may wait for their answers at a time.
const maxInFlight = 64

// customers send orders.
type customers struct {
	client *http.Client
	url    string
	atOnce int // how many orders may wait for their answers

	mu     sync.Mutex
	orders []order
}

func newCustomers(t *testing.T, url string) *customers {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: maxInFlight}
	t.Cleanup(transport.CloseIdleConnections)
	return &customers{url: url, atOnce: maxInFlight, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// send sends orders at a rate, or as fast as the machine can if that is slower, until there
// are no more or ctx ends. It returns when all are answered.
func (c *customers) send(ctx context.Context, perSecond int, orders func(i int) (kind, bool)) {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	slots := make(chan struct{}, c.atOnce)
	var answers sync.WaitGroup
	defer answers.Wait()
	for i := 0; ; i++ {
		k, more := orders(i)
		if !more {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		slots <- struct{}{}
		answers.Go(func() {
			c.place(k)
			<-slots
		})
	}
}

func (c *customers) place(k kind) {
	o := order{kind: k}
	began := time.Now()
	request, err := http.NewRequest(http.MethodPost, c.url+"/orders", strings.NewReader(k.body()))
	if err != nil {
		panic(err)
	}
	request.Header.Set("X-Tenant-ID", "acme")
	if response, err := c.client.Do(request); err == nil {
		if _, err := io.Copy(io.Discard, response.Body); err == nil {
			o.answered, o.trace = response.StatusCode, response.Header.Get("X-Trace-Id")
		}
		_ = response.Body.Close()
	}
	o.took = time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders = append(c.orders, o)
}

// answered returns the orders that got the answer they should have.
func (c *customers) answered() []order {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []order
	for _, o := range c.orders {
		if o.answered == o.status && o.trace != "" {
			found = append(found, o)
		}
	}
	return found
}

func (c *customers) placed() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.orders)
}
