package showcase_test

import (
	"errors"
	"os"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/mqtrace/mqtrace/examples/internal/showcase"
	"github.com/mqtrace/mqtrace/internal/amqpbroker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// onBrokers runs a test with the URL of a broker that others may use too: one in this
// process and, if MQTRACE_AMQP_URL names one, a real one, which must answer.
func onBrokers(t *testing.T, test func(t *testing.T, url string)) {
	t.Helper()
	t.Run("amqpbroker", func(t *testing.T) {
		b, err := amqpbroker.Start()
		ok(t, err)
		t.Cleanup(func() { _ = b.Close() })
		test(t, b.URL())
	})
	if url := os.Getenv(showcase.BrokerVariable); url != "" {
		t.Run("rabbitmq", func(t *testing.T) { test(t, url) })
	}
}

// props are a queue and an exchange of an example.
type props struct{ queue, exchange string }

func (p *props) declare(s *showcase.Stage) error {
	ch, err := s.Conn.Channel()
	if err != nil {
		return err
	}
	if p.exchange, err = s.Exchange(ch, "orders"); err != nil {
		return err
	}
	if p.queue, err = s.Queue(ch, "new", amqp.Table{"x-max-length": int32(1)}); err != nil {
		return err
	}
	return ch.QueueBind(p.queue, "k", p.exchange, false, nil)
}

// wantGone checks that they were removed.
func (p *props) wantGone(t *testing.T, url string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	ok(t, err)
	defer conn.Close()
	for _, declare := range []func(ch *amqp.Channel) error{
		func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive(p.queue, true, false, false, false, nil)
			return err
		},
		func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(p.exchange, amqp.ExchangeDirect, true, false, false, false, nil)
		},
	} {
		ch, err := conn.Channel()
		ok(t, err)
		var refused *amqp.Error
		if err := declare(ch); !errors.As(err, &refused) || refused.Code != amqp.NotFound {
			t.Errorf("of %+v something is there: %v", *p, err)
		}
	}
}
