package integration_test

import (
	"net/http"
	"testing"

	"github.com/mqtrace/mqtrace/examples/order-notification/config"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// restartable is a broker that can be killed, and comes back empty at the same address.
type restartable struct {
	*amqpbroker.Broker

	addr string
}

func newRestartable(t *testing.T) *restartable {
	t.Helper()
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	r := &restartable{Broker: b, addr: b.Addr()}
	t.Cleanup(func() { _ = r.Close() }) // after the services, which clean up on it
	return r
}

func (r *restartable) start(t *testing.T) {
	t.Helper()
	var err error
	if r.Broker, err = amqpbroker.Listen(r.addr); err != nil {
		t.Fatal(err)
	}
}

func health(t *testing.T, url string) int {
	t.Helper()
	return do(t, http.MethodGet, url+"/healthz", "").status
}

func TestQueuesComeBackWithTheBroker(t *testing.T) {
	broker := newRestartable(t)
	s := newStage(t, config.Config{AMQPURL: broker.URL()})
	broker.Kill()
	eventually(t, "the service is unhealthy", func() bool { return health(t, s.url) == http.StatusServiceUnavailable })
	broker.start(t)
	eventually(t, "the service is healthy again", func() bool { return health(t, s.url) == http.StatusOK })
	// The consumer may take a moment longer than the publisher; its queue is
	// declared by both.
	r := post(t, s.url, orderOf("customer@example.com", "tok_ok", "tea"))
	if r.status != http.StatusCreated {
		t.Fatalf("status %d, body %v", r.status, r.body)
	}
	s.wait(t, r.traceID, postOrders, s.notify, s.mail)
}

func TestServicesStopWhileTheBrokerIsAway(t *testing.T) {
	broker := newRestartable(t)
	d := deploy(t, config.Config{AMQPURL: broker.URL()}, "OTEL_TRACES_EXPORTER=none")
	broker.Kill()
	eventually(t, "the service is unhealthy", func() bool { return health(t, d.url) == http.StatusServiceUnavailable })
	d.terminate(t)
	broker.start(t)
}
