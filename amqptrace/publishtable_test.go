package amqptrace_test

import (
	"context"
	"errors"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

func publishOutcomes() map[string]operation {
	published := "messaging.destination.name=X:k.1 messaging.rabbitmq.destination.routing_key=k.1"
	msg := amqp.Publishing{}
	return map[string]operation{
		"publish": {
			func(s *scene) { s.ok(s.publisher().PublishWithContext(s.ctx, s.x, "k.1", false, false, msg)) },
			[]span{{"publish X", "producer", "caller", nil, published, false}},
			[]string{"client.operation.duration publish X", "client.sent.messages publish X"},
		},
		"publish, deferred by the host": {
			func(s *scene) {
				confirmation, err := s.publisher().PublishWithDeferredConfirmWithContext(s.ctx, s.x, "k.1", false, false, msg)
				s.ok(err)
				confirmation.Wait()
			},
			[]span{{"publish X", "producer", "caller", nil, published, false}},
			[]string{"client.operation.duration publish X", "client.sent.messages publish X"},
		},
		"publish on a closed channel": {
			func(s *scene) {
				pub, other := s.publisher(), s.reopen()
				s.is(pub.PublishConfirmed(s.ctx, s.x, "k.1", false, false, msg), amqp.ErrClosed)
				s.ch = other
			},
			[]span{{"publish X", "producer", "caller", nil, published + " error.type=CHANNEL_ERROR", true}},
			[]string{"client.operation.duration publish X CHANNEL_ERROR", "client.sent.messages publish X CHANNEL_ERROR"},
		},
		"confirmed: acked": {
			func(s *scene) { s.ok(s.publisher().PublishConfirmed(s.ctx, s.x, "k.1", true, false, msg)) },
			[]span{{"publish X", "producer", "caller", nil, published + " mqtrace.publish.outcome=acked", false}},
			[]string{"client.operation.duration publish X", "client.sent.messages publish X"},
		},
		"confirmed: nacked": {
			func(s *scene) {
				full := unique("full")
				s.ok(declare(s.ch, full, amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"}))
				s.Cleanup(func() { _, _ = s.ch.QueueDelete(full, false, false, false) })
				s.ok(s.ch.QueueBind(full, "full", s.x, false, nil))
				s.is(s.publisher().PublishConfirmed(s.ctx, s.x, "full", true, false, msg), amqptrace.ErrNacked)
			},
			[]span{{"publish X", "producer", "caller", nil, "messaging.destination.name=X:full messaging.rabbitmq.destination.routing_key=full mqtrace.publish.outcome=nacked error.type=nacked", true}},
			[]string{"client.operation.duration publish X nacked", "client.sent.messages publish X nacked"},
		},
		"confirmed: returned": {
			func(s *scene) {
				err := s.publisher().PublishConfirmed(s.ctx, s.x, "nowhere", true, false, msg)
				s.is(err, amqptrace.ErrReturned)
				var host *amqp.Error
				var returned *amqptrace.ReturnedError
				if !errors.As(err, &host) || host.Code != amqp.NoRoute || !errors.As(err, &returned) ||
					returned.Return.RoutingKey != "nowhere" || !strings.Contains(err.Error(), "312 NO_ROUTE") {
					s.Errorf("error %v", err)
				}
			},
			[]span{{"publish X", "producer", "caller", nil, "messaging.destination.name=X:nowhere messaging.rabbitmq.destination.routing_key=nowhere mqtrace.publish.outcome=returned error.type=NO_ROUTE", true}},
			[]string{"client.operation.duration publish X NO_ROUTE", "client.sent.messages publish X NO_ROUTE"},
		},
		"confirmed: unroutable and not mandatory": {
			func(s *scene) { s.ok(s.publisher().PublishConfirmed(s.ctx, s.x, "nowhere", false, false, msg)) },
			[]span{{"publish X", "producer", "caller", nil, "messaging.destination.name=X:nowhere messaging.rabbitmq.destination.routing_key=nowhere mqtrace.publish.outcome=acked", false}},
			[]string{"client.operation.duration publish X", "client.sent.messages publish X"},
		},
		"confirmed: channel closed": {
			func(s *scene) {
				err := s.publisher().PublishConfirmed(s.ctx, "no-such-exchange", "k", true, false, msg)
				s.is(err, amqptrace.ErrClosed)
				s.is(err, amqp.ErrClosed)
				var reason *amqp.Error
				if !errors.As(err, &reason) || reason.Code != amqp.NotFound {
					s.Errorf("error %v, want the broker's reason", err)
				}
				s.ch = s.reopen()
			},
			[]span{{"publish no-such-exchange", "producer", "caller", nil, "messaging.destination.name=no-such-exchange:k messaging.rabbitmq.destination.routing_key=k mqtrace.publish.outcome=closed error.type=NOT_FOUND", true}},
			[]string{"client.operation.duration publish no-such-exchange NOT_FOUND", "client.sent.messages publish no-such-exchange NOT_FOUND"},
		},
		"confirmed: context ended": {
			func(s *scene) {
				ctx, cancel := context.WithCancel(s.ctx)
				cancel()
				pub := amqptrace.NewPublisher(&channel{confirmation: new(amqp.DeferredConfirmation)}, s.opts()...)
				s.is(pub.PublishConfirmed(ctx, s.x, "k.1", false, false, msg), context.Canceled)
			},
			[]span{{"publish X", "producer", "caller", nil, published + " mqtrace.publish.outcome=timeout error.type=context.Canceled", true}},
			[]string{"client.operation.duration publish X context.Canceled", "client.sent.messages publish X context.Canceled"},
		},
		"confirmed: no confirm mode": {
			func(s *scene) {
				pub := amqptrace.NewPublisher(&channel{}, s.opts()...)
				s.is(pub.PublishConfirmed(s.ctx, s.x, "k.1", true, false, msg), amqptrace.ErrNotConfirming)
			},
			[]span{{"publish X", "producer", "caller", nil, published + " mqtrace.publish.outcome=unconfirmed error.type=not_confirming", true}},
			[]string{"client.operation.duration publish X not_confirming", "client.sent.messages publish X not_confirming"},
		},
	}
}
