package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// warnEvery is how often the log mentions that the Collector cannot be reached.
const warnEvery = time.Minute

// patience turns an exporter's failures into a warning now and then. Without it the global
// error handler prints a line on standard error for each lost batch, in a different format
// and without the service's name.
type patience struct {
	log  *slog.Logger // which does not send by OTLP
	what string       // is exported

	mu     sync.Mutex
	warned time.Time // zero while exports succeed
	lost   int       // since the last line
}

// saw records an export of n items.
func (p *patience) saw(ctx context.Context, err error, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		if !p.warned.IsZero() {
			p.log.InfoContext(ctx, p.what+" reach the Collector again", "lost", p.lost)
			p.warned, p.lost = time.Time{}, 0
		}
		return
	}
	p.lost += n
	if time.Since(p.warned) >= warnEvery {
		p.log.WarnContext(ctx, p.what+" do not reach the Collector; the service goes on without it",
			"error", err, "lost", p.lost)
		p.warned = time.Now()
	}
}
