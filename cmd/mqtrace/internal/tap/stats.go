package tap

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Stats counts what a tap has done since it was opened.
type Stats struct {
	// Seen counts the records from the firehose, Published and Delivered those of each
	// kind. The rest could not be read.
	Seen      uint64 `json:"seen"`
	Published uint64 `json:"published"`
	Delivered uint64 `json:"delivered"`
	// Unroutable and Redelivered are among them.
	Unroutable  uint64 `json:"unroutable"`
	Redelivered uint64 `json:"redelivered"`
	// Untraced counts messages without trace context, Unsampled those of traces that are
	// not recorded, OverRate those beyond the rate limit.
	Untraced  uint64 `json:"untraced"`
	Unsampled uint64 `json:"unsampled"`
	OverRate  uint64 `json:"over_rate"`
	// Spans counts the spans created. Of these, Exported were accepted, Dropped met a full
	// export queue, and Failed could not be delivered. The others are pending.
	Spans    uint64 `json:"spans"`
	Exported uint64 `json:"exported"`
	Dropped  uint64 `json:"dropped"`
	Failed   uint64 `json:"failed"`
	// Backlog counts the records waiting in RabbitMQ. At BacklogMax RabbitMQ drops the
	// oldest, without a count.
	Backlog    int `json:"backlog"`
	BacklogMax int `json:"backlog_max"`
}

// String returns a line of text. It omits trouble counters that are 0.
func (s Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seen %d (published %d, delivered %d), spans %d, exported %d",
		s.Seen, s.Published, s.Delivered, s.Spans, s.Exported)
	for _, n := range []struct {
		format string
		n      uint64
	}{
		{", unroutable %d", s.Unroutable},
		{", redelivered %d", s.Redelivered},
		{", without a trace %d", s.Untraced},
		{", not sampled %d", s.Unsampled},
		{", over the rate %d", s.OverRate},
		{", dropped %d", s.Dropped},
		{", failed to export %d", s.Failed},
		{", waiting in RabbitMQ %d", uint64(max(0, s.Backlog))},
	} {
		if n.n > 0 {
			fmt.Fprintf(&b, n.format, n.n)
		}
	}
	if s.Backlog >= s.BacklogMax {
		b.WriteString(": it drops the oldest")
	}
	return b.String()
}

// counters are the running counts of Stats.
type counters struct {
	seen, published, delivered, unroutable, redelivered atomic.Uint64
	untraced, unsampled, overRate, spans                atomic.Uint64
}

func (c *counters) count(r *record) {
	if r.delivered {
		c.delivered.Add(1)
	} else {
		c.published.Add(1)
	}
	if r.unroutable() {
		c.unroutable.Add(1)
	}
	if r.redelivered {
		c.redelivered.Add(1)
	}
}

func (c *counters) stats() Stats {
	return Stats{
		Seen: c.seen.Load(), Published: c.published.Load(), Delivered: c.delivered.Load(),
		Unroutable: c.unroutable.Load(), Redelivered: c.redelivered.Load(),
		Untraced: c.untraced.Load(), Unsampled: c.unsampled.Load(), OverRate: c.overRate.Load(),
		Spans: c.spans.Load(), BacklogMax: queueMaxLength,
	}
}
