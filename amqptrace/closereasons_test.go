package amqptrace_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/mqtrace/mqtrace/amqptrace"
)

// The broker's reason for closing a channel comes with the error, and is the error type of
// the span, also for later operations.
func TestReasonOfAClosedChannel(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		message := amqp.Publishing{}
		ctx := context.Background()
		for name, tt := range map[string]struct {
			fail func(s *scene) error // the first
			then func(s *scene) error // as above where nil
			is   error
			want int
			kind string
		}{
			"PublishConfirmed": {
				fail: func(s *scene) error {
					return s.publisher().PublishConfirmed(ctx, "no-such-exchange", "k", true, false, message)
				},
				is: amqp.ErrClosed, want: amqp.NotFound, kind: "NOT_FOUND",
			},
			"PublishDeferred": {
				fail: func(s *scene) error {
					c, err := s.publisher().PublishDeferred(ctx, "no-such-exchange", "k", true, false, message)
					if err != nil {
						return err
					}
					return c.Wait(ctx)
				},
				is: amqp.ErrClosed, want: amqp.NotFound, kind: "NOT_FOUND",
			},
			"Get": {
				fail: func(s *scene) error {
					_, _, err := s.consumer("no-such-queue").Get(ctx, s.ch, false)
					return err
				},
				want: amqp.NotFound, kind: "NOT_FOUND",
			},
			"settlement": {
				fail: func(s *scene) error {
					s.put("m1", nil)
					s.put("m2", nil)
					d, later := s.take(s.q), s.take(s.q)
					return s.consumer(s.q).Handler(func(_ context.Context, d amqp.Delivery) error {
						_ = d.Acknowledger.Ack(77, false) // unknown to the broker
						for began := time.Now(); !s.ch.IsClosed() && time.Since(began) < patience; time.Sleep(time.Millisecond) {
						}
						return errors.Join(d.Ack(false), later.Nack(false, false))
					})(ctx, d)
				},
				then: func(s *scene) error {
					return s.consumer(s.q).Handler(func(_ context.Context, d amqp.Delivery) error { return d.Ack(false) })(
						ctx, amqp.Delivery{Acknowledger: s.ch, DeliveryTag: 1})
				},
				is: amqp.ErrClosed, want: amqp.PreconditionFailed, kind: "PRECONDITION_FAILED",
			},
		} {
			t.Run(name, func(t *testing.T) {
				s := newScene(t, url)
				check := func(err error) {
					t.Helper()
					var reason *amqp.Error
					if !errors.As(err, &reason) || reason.Code != tt.want || tt.is != nil && !errors.Is(err, tt.is) {
						t.Errorf("error %v, want code %d", err, tt.want)
					}
					if got := attributes(s.Ended()[len(s.Ended())-1])["error.type"]; got != tt.kind {
						t.Errorf("error.type %v, want %s", got, tt.kind)
					}
				}
				err := tt.fail(s)
				check(err)
				if name[:3] == "Pub" {
					s.is(err, amqptrace.ErrClosed)
				}
				if tt.then == nil {
					tt.then = tt.fail
				}
				check(tt.then(s))
				s.ch = s.reopen()
			})
		}
	})
}

// The reason is given once, however many processes a settlement passes.
func TestReasonWithinAnotherProcess(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		c := s.consumer(s.q)
		err := c.BatchHandler(func(ctx context.Context, ds []amqp.Delivery) error {
			return c.Handler(func(_ context.Context, d amqp.Delivery) error {
				_ = d.Acknowledger.Ack(77, false) // unknown to the broker
				for began := time.Now(); !s.ch.IsClosed() && time.Since(began) < patience; time.Sleep(time.Millisecond) {
				}
				return d.Ack(false)
			})(ctx, ds[0])
		})(t.Context(), []amqp.Delivery{{Acknowledger: s.ch, DeliveryTag: 1}})
		if err == nil || strings.Count(err.Error(), "PRECONDITION_FAILED") != 1 {
			t.Errorf("error %v", err)
		}
		s.ch = s.reopen()
	})
}

// A channel that the program closed itself, or that has recovered since, has no reason.
func TestNoReason(t *testing.T) {
	onURLs(t, func(t *testing.T, url string) {
		s := newScene(t, url)
		closed, _ := s.ch, s.reopen()
		_, _, err := s.consumer(s.q).Get(context.Background(), closed, false)
		if err != error(amqp.ErrClosed) {
			t.Errorf("error %v, want the host's own", err)
		}
		s.ch = s.reopen()
	})
}

// User names do not belong on a span, whatever characters they have.
func TestUsersAreNotNamed(t *testing.T) {
	for text, want := range map[string]string{
		"ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'guest'":                        `ACCESS_REFUSED - access to queue 'q' in vhost '/' refused`,
		"ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'o'brien'":                      `ACCESS_REFUSED - access to queue 'q' in vhost '/' refused`,
		"ACCESS_REFUSED - access refused for user 'it's o'brien' by backend rabbit_auth_backend_internal":   `ACCESS_REFUSED - access refused by backend rabbit_auth_backend_internal`,
		"PRECONDITION_FAILED - user_id property set to 'o'brien' but authenticated user was 'it's o'brien'": `PRECONDITION_FAILED -`,
	} {
		rec := newRecorder(t)
		host := &amqp.Error{Code: amqp.AccessRefused, Reason: text, Server: true}
		_ = amqptrace.NewPublisher(&channel{err: host}, rec.options()...).PublishWithContext(
			context.Background(), "x", "k", false, false, amqp.Publishing{})
		if got := rec.only(t).Status().Description; got != `Exception (403) Reason: "`+want+`"` {
			t.Errorf("status %s", got)
		}
	}
}
