package queues_test

import (
	"testing"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/queues"
	"github.com/mqtrace/mqtrace/internal/traceview/sample"
	"github.com/mqtrace/mqtrace/internal/traceview/spans"
)

// of returns a span about a RabbitMQ message.
func of(s spans.Span, destination, key string) spans.Span {
	s = sample.With(sample.With(s, "messaging.system", "rabbitmq"), "messaging.destination.name", destination)

	return sample.With(s, "messaging.rabbitmq.destination.routing_key", key)
}

func TestFind(t *testing.T) {
	now := sample.Epoch.Add(time.Minute)
	done := spans.Trace{ID: sample.ID, Spans: []spans.Span{
		of(sample.Span(1, 0, "shop", "publish orders", sample.Producer, 0, 10), "orders:created", "created"),
		of(sample.Span(2, 1, "billing", "process billing", sample.Consumer, 110, 150), "orders:created:billing", "created"),
		of(sample.With(sample.Fail(sample.Span(3, 1, "mailer", "process mail", sample.Consumer, 210, 250), "full", "full"), "mqtrace.attempt", int64(2)), "orders:created:mail", "created"),
	}}
	stuck := spans.Trace{ID: sample.OtherID, Spans: []spans.Span{
		sample.With(sample.Span(1, 0, "shop", "POST /orders", sample.Server, 0, 20), "tenant.id", "acme"),
		of(sample.Span(4, 1, "shop", "publish orders", sample.Producer, 1000, 2000), "orders:created", "created"),
		of(sample.Span(5, 1, "shop", "publish audit", sample.Producer, 1000, 2000), "audit:x", "x"),
	}}

	got := queues.Find([]spans.Trace{done, stuck}, now)
	if len(got.Queues) != 3 || got.At != now {
		t.Fatalf("%+v", got)
	}

	audit, billing, mail := got.Queues[0], got.Queues[1], got.Queues[2]
	if !audit.Exchange || audit.Waiting != 1 || audit.Name != "audit" {
		t.Errorf("%+v", audit)
	}

	// A message to an exchange waits in the queues that others with its key reached.
	if billing.Exchange || billing.Waiting != 1 || !billing.WaitingSince.Equal(sample.Epoch.Add(2*time.Second)) ||
		len(billing.Tenants) != 1 || billing.Tenants[0] != "acme" || billing.Traces[0] != sample.OtherID.String() {
		t.Errorf("%+v", billing)
	}

	if billing.Publishers[0] != "shop" || billing.Consumers[0] != "billing" || billing.WaitLongest != 100*time.Millisecond ||
		billing.ProcessingP50 != 40*time.Millisecond || billing.Published != 2 || billing.Processed != 1 || billing.PerMinute != 0.2 {
		t.Errorf("%+v", billing)
	}

	if mail.Failures != 1 || mail.Retries != 1 || mail.Last[queues.Minutes-1]+mail.Last[queues.Minutes-2] != 1 {
		t.Errorf("%+v", mail)
	}

	if len(got.Edges) != 5 || got.Edges[0].Queue != "audit" || !got.Edges[0].Publishes {
		t.Errorf("%+v", got.Edges)
	}
}

// If nothing has happened for a while, waiting messages keep waiting. In a file, they wait
// until its end.
func TestQuietTimes(t *testing.T) {
	sent := of(sample.Span(1, 0, "shop", "publish audit", sample.Producer, 0, 10), "audit:x", "x")
	traces := []spans.Trace{{ID: sample.ID, Spans: []spans.Span{sent}}}

	for _, tt := range []struct {
		find func([]spans.Trace, time.Time) queues.Overview
		ago  time.Duration
		want time.Time
	}{
		{queues.Find, time.Hour, sent.End.Add(time.Hour)},
		{queues.Find, 30 * time.Hour, sent.End},
		{queues.FindIn, time.Minute, sent.End.Add(time.Minute)},
		{queues.FindIn, time.Hour, sent.End},
	} {
		if got := tt.find(traces, sent.End.Add(tt.ago)); !got.At.Equal(tt.want) || got.Queues[0].Waiting != 1 {
			t.Errorf("after %v at %v, want %v: %+v", tt.ago, got.At, tt.want, got.Queues)
		}
	}
}
