package amqptrace_test

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/mqtrace/mqtrace/amqptrace"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

// Spans and metrics have the address of the connection's broker, also after it has changed,
// and nothing about the user.
func TestWithConnection(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		uri, err := amqp.ParseURI(url)
		if err != nil {
			t.Fatal(err)
		}
		broker := net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))
		first, second := newNetwork(t, broker), newNetwork(t, broker)
		var to atomic.Pointer[network]
		to.Store(first)
		conn, err := amqp.DialConfig(url, amqp.Config{
			Dial: func(tcp, _ string) (net.Conn, error) {
				c, err := net.Dial(tcp, to.Load().Addr().String())
				if err == nil { // as amqp.DefaultDial does
					err = c.SetDeadline(time.Now().Add(patience))
				}
				return c, err
			},
			Recovery: &amqp.Recovery{ReconnectionConfig: &amqp.ReconnectionConfig{RetryInterval: 20 * time.Millisecond, MaxRetryCount: 5}},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		states := make(chan *amqp.StateChanged, 10)
		conn.NotifyStateChange(states)
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		rec := newRecorder(t)
		reader := sdkmetric.NewManualReader()
		opts := rec.options(amqptrace.WithConnection(conn), amqptrace.WithConnection(nil),
			amqptrace.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
		pub, cons := amqptrace.NewPublisher(ch, opts...), amqptrace.NewConsumer("q", opts...)
		for _, n := range []*network{first, second} {
			port := int64(n.Addr().(*net.TCPAddr).Port)
			// The host notifies listeners of a recovered connection one after the other.
			for began := time.Now(); time.Since(began) < patience; time.Sleep(time.Millisecond) {
				rec.Reset()
				_ = pub.PublishWithContext(context.Background(), "", "nowhere", false, false, amqp.Publishing{})
				_ = cons.Handler(succeed)(context.Background(), amqp.Delivery{})
				_ = cons.BatchHandler(func(context.Context, []amqp.Delivery) error { return nil })(context.Background(), make([]amqp.Delivery, 1))
				_, _, _ = cons.Get(context.Background(), getter{amqp.Delivery{}}, false)
				if !slices.ContainsFunc(rec.Ended(), func(s sdktrace.ReadOnlySpan) bool { return attributes(s)["server.port"] != port }) {
					break
				}
			}
			if len(rec.Ended()) != 4 {
				t.Errorf("%d spans", len(rec.Ended()))
			}
			for _, s := range rec.Ended() {
				got := attributes(s)
				for k, want := range map[string]any{
					"server.address": "127.0.0.1", "server.port": port, "mqtrace.virtual_host": uri.Vhost,
					"network.peer.address": "127.0.0.1", "network.peer.port": port,
				} {
					if got[k] != want {
						t.Errorf("%s: %s is %v, want %v", s.Name(), k, got[k], want)
					}
				}
			}
			if got := ports(t, reader); !got[port] {
				t.Errorf("metrics have the ports %v, want %d", got, port)
			}
			if n == second {
				return
			}
			to.Store(second)
			first.cut()
			for change := range states {
				if change.To == amqp.StateOpen {
					break
				}
			}
		}
	})
}

// ports returns the server ports of the metric points.
func ports(t *testing.T, reader *sdkmetric.ManualReader) map[int64]bool {
	t.Helper()
	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	found := make(map[int64]bool)
	add := func(set attribute.Set) {
		v, _ := set.Value("server.port")
		found[v.AsInt64()] = true
	}
	for _, scope := range data.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch d := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range d.DataPoints {
					add(p.Attributes)
				}
			case metricdata.Sum[int64]:
				for _, p := range d.DataPoints {
					add(p.Attributes)
				}
			}
		}
	}
	return found
}

// An address set by the program takes precedence over the connection's.
func TestWithConnectionAndServer(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		ch := open(t, url)
		conn, err := amqp.Dial(url)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		rec := newRecorder(t)
		_ = amqptrace.NewPublisher(ch, rec.options(amqptrace.WithConnection(conn), amqptrace.WithServer("rabbit.example", 5671))...).
			PublishWithContext(context.Background(), "", "nowhere", false, false, amqp.Publishing{})
		if got := attributes(rec.only(t)); got["server.address"] != "rabbit.example" || got["server.port"] != int64(5671) || got["network.peer.address"] != "127.0.0.1" {
			t.Errorf("attributes %v", got)
		}
	})
}

func TestWithMessageAttributes(t *testing.T) {
	for name, panics := range map[string]bool{"returns": false, "panics": true} {
		t.Run(name, func(t *testing.T) {
			rec := newRecorder(t)
			opts := rec.options(amqptrace.WithMessageAttributes(func(m amqptrace.Message) []attribute.KeyValue {
				if panics {
					panic("user")
				}
				tenant, _ := m.Headers["tenant"].(string)
				return []attribute.KeyValue{
					attribute.String("tenant", tenant),
					attribute.String("what", m.MessageID+m.CorrelationID+m.Type+m.AppID+strconv.Itoa(m.BodySize)+m.Exchange+m.RoutingKey+m.Queue),
				}
			}), amqptrace.WithMessageAttributes(nil))
			headers, _ := message(t)
			headers["tenant"] = "t1"
			_ = amqptrace.NewPublisher(&channel{}, opts...).PublishWithContext(context.Background(), "x", "k", false, false, amqp.Publishing{
				Headers: headers, MessageId: "m", CorrelationId: "c", Type: "t", AppId: "a", Body: []byte("12"),
			})
			d := amqp.Delivery{
				Headers: headers, MessageId: "m", CorrelationId: "c", Type: "t", AppId: "a", Body: []byte("12"),
				Exchange: "x", RoutingKey: "k", Acknowledger: &acknowledger{},
			}
			c := amqptrace.NewConsumer("q", opts...)
			_, _, _ = c.Get(context.Background(), getter{d}, false)
			_ = c.Handler(succeed)(context.Background(), d)
			other := d
			other.MessageId = "n"
			_ = c.BatchHandler(func(context.Context, []amqp.Delivery) error { return nil })(context.Background(), []amqp.Delivery{d, other})
			spans := rec.Ended()
			if len(spans) != 4 {
				t.Fatalf("%d spans", len(spans))
			}
			for i, want := range []any{"mcta2xk", "mcta2xkq", "mcta2xkq", nil} {
				got := attributes(spans[i])
				if panics {
					want = nil
				}
				if got["what"] != want || (got["tenant"] != "t1") != panics {
					t.Errorf("%s has %v", spans[i].Name(), got)
				}
			}
			set := attribute.NewSet(spans[3].Links()[1].Attributes...)
			if v, ok := set.Value("what"); ok == panics || ok && v.AsString() != "ncta2xkq" {
				t.Errorf("the second link of the batch has %v", spans[3].Links()[1].Attributes)
			}
		})
	}
}

// A connection that is lost and recovered again and again while nothing is sent leaves no
// goroutine behind, which TestMain checks.
func TestIdleConnectionThatIsRecoveredOften(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	known := amqptrace.ConnectionsKnown()
	func() {
		conn, err := amqp.DialConfig(b.URL(), amqp.Config{Recovery: &amqp.Recovery{
			ReconnectionConfig: &amqp.ReconnectionConfig{RetryInterval: time.Millisecond, MaxRetryCount: 50},
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = amqptrace.NewPublisher(&channel{}, amqptrace.WithConnection(conn))
		states := make(chan *amqp.StateChanged, 50)
		conn.NotifyStateChange(states)
		for range 10 { // more changes than are kept
			b.CutConnections()
			for (<-states).To != amqp.StateOpen {
			}
		}
	}()
	collect(t, func() bool { return amqptrace.ConnectionsKnown() <= known })
}

// A publisher may be made while its connection is being recovered. The host replaces the
// connection meanwhile without a lock, so it must not be asked, which -race checks.
func TestConnectionThatIsBeingRecovered(t *testing.T) {
	b, err := amqpbroker.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	conn, err := amqp.DialConfig(b.URL(), amqp.Config{Recovery: &amqp.Recovery{
		ReconnectionConfig: &amqp.ReconnectionConfig{RetryInterval: time.Second, MaxRetryCount: 50},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	states := make(chan *amqp.StateChanged, 50)
	conn.NotifyStateChange(states)
	b.CutConnections()
	for (<-states).To != amqp.StateReconnecting {
	}
	rec := newRecorder(t)
	pubs := []*amqptrace.Publisher{
		amqptrace.NewPublisher(&channel{}, rec.options(amqptrace.WithConnection(conn))...),
		amqptrace.NewPublisher(&channel{}, rec.options(amqptrace.WithConnection(conn), amqptrace.WithServer("rabbit.example", 0))...),
	}
	for i, want := range [][]any{{nil, nil}, {"rabbit.example", nil}} {
		rec.Reset()
		_ = pubs[i].PublishWithContext(context.Background(), "", "q", false, false, amqp.Publishing{})
		if got := attributes(rec.only(t)); got["server.address"] != want[0] || got["network.peer.address"] != want[1] {
			t.Errorf("during the recovery: %v", got)
		}
	}
	for (<-states).To != amqp.StateOpen {
	}
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		rec.Reset()
		_ = pubs[0].PublishWithContext(context.Background(), "", "q", false, false, amqp.Publishing{})
		got := attributes(rec.only(t))
		if got["server.address"] == "127.0.0.1" && got["mqtrace.virtual_host"] == "/" {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("after the recovery: %v", got)
		}
	}
}
