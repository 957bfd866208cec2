package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/examples/order-notification/backend"
	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/examples/order-notification/email"
	"github.com/mqtrace/mqtrace/examples/order-notification/notification"
	"github.com/mqtrace/mqtrace/examples/order-notification/order"
	"github.com/mqtrace/mqtrace/examples/order-notification/payment"
	"github.com/mqtrace/mqtrace/examples/order-notification/shop"
	"github.com/mqtrace/mqtrace/examples/order-notification/telemetry"
)

// onEachBackend runs a test with the services on in-process servers and, if they are named,
// on real ones.
func onEachBackend(t *testing.T, test func(t *testing.T, s *stage)) {
	t.Helper()
	withEachConfig(t, func(t *testing.T, cfg config.Config) { test(t, newStage(t, cfg)) })
}

func withEachConfig(t *testing.T, test func(t *testing.T, cfg config.Config)) {
	t.Helper()
	t.Run("in-process", func(t *testing.T) { test(t, config.Config{}) })
	if os.Getenv(amqpVariable) == "" && os.Getenv(redisVariable) == "" {
		return
	}
	t.Run("real", func(t *testing.T) {
		cfg, err := config.FromEnvironment()
		if err != nil {
			t.Fatal(err)
		}
		test(t, cfg)
	})
}

// stage is the running services, and all that can be observed of them.
type stage struct {
	*collector
	names

	url  string // of the order API
	logs *logs
}

// names are the keys of spans whose names depend on the prefix.
type names struct {
	backend                                *backend.Backend
	publish, notify, bury, enqueue, mail   string
	exchange, queue, deadQueue, emailQueue string
}

func namesOf(b *backend.Backend) names {
	topology := b.Topology()
	return names{
		backend:    b,
		exchange:   topology.Exchange,
		queue:      topology.Queue,
		deadQueue:  topology.DeadLetterQueue,
		emailQueue: b.EmailQueue(),
		publish:    order.Name + ": publish " + topology.Exchange,
		notify:     notification.Name + ": process " + topology.Queue,
		bury:       notification.Name + ": process " + topology.DeadLetterQueue,
		enqueue:    notification.Name + ": enqueue " + b.EmailQueue(),
		mail:       email.Name + ": process " + b.EmailQueue(),
	}
}

// Keys of spans whose names are fixed.
const (
	postOrders   = order.Name + ": POST /orders"
	placeOrder   = order.Name + ": place order"
	inventory    = order.Name + ": check inventory"
	charge       = order.Name + ": charge payment"
	postPayments = order.Name + ": POST /payments"
	payments     = payment.Name + ": POST /payments"
	authorize    = payment.Name + ": authorize card"
	sendEmail    = email.Name + ": send email"
)

func newStage(t *testing.T, cfg config.Config) *stage {
	t.Helper()
	return newStageThatRetries(t, cfg, time.Second)
}

// newStageThatRetries is newStage with a delay before an email is tried again.
func newStageThatRetries(t *testing.T, cfg config.Config, after time.Duration) *stage {
	t.Helper()
	ctx := context.Background()
	b, err := backend.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	s := &stage{collector: newCollector(t), logs: &logs{}, names: namesOf(b)}
	services, err := shop.Start(ctx, shop.Config{
		AMQPURL:           b.AMQPURL,
		Redis:             b.Redis,
		Prefix:            b.Prefix,
		Telemetry:         telemetry.Config{KeepName: true, ViewerURL: s.URL, LogWriter: s.logs, Version: "1.2.3"},
		EmailRetryDelay:   after,
		EmailPollInterval: 100 * time.Millisecond,
	}, shop.Order, shop.Notification, shop.Email)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stopped, stop := context.WithCancel(ctx)
		stop()
		if err := services.Run(stopped); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log:\n%s", s.logs)
		}
	})
	s.url = services.OrderURL()
	return s
}

// httpClient is not a global one, so that its connections can be closed when goroutines are
// counted.
var httpClient = &http.Client{Transport: &http.Transport{}, Timeout: 15 * time.Second}

// reply is a response of the order API.
type reply struct {
	status  int
	traceID string
	header  http.Header
	body    map[string]any
}

// post sends a body to POST /orders. Headers are given as name, value.
func post(t *testing.T, url, body string, headers ...string) reply {
	t.Helper()
	return do(t, http.MethodPost, url+"/orders", body, headers...)
}

func do(t *testing.T, method, url, body string, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := httpClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{status: response.StatusCode, traceID: response.Header.Get("x-trace-id"), header: response.Header}
	if err := json.Unmarshal(data, &r.body); err != nil {
		t.Fatalf("the answer is not JSON: %v: %s", err, data)
	}
	return r
}

// orderOf returns the body of an order for one article.
func orderOf(recipient, token, sku string) string {
	return `{"email":"` + recipient + `","payment_token":"` + token + `","items":[{"sku":"` + sku + `","quantity":1}]}`
}

// logs collects JSON log lines.
type logs struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.data.String()
}

// of returns the lines with that trace_id.
func (l *logs) of(t *testing.T, traceID string) []map[string]string {
	t.Helper()
	var lines []map[string]string
	for text := range strings.Lines(l.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatalf("a log line is not JSON: %v: %s", err, text)
		}
		if fields["trace_id"] != traceID {
			continue
		}
		line := make(map[string]string, len(fields))
		for name, value := range fields {
			line[name], _ = value.(string)
		}
		lines = append(lines, line)
	}
	return lines
}
