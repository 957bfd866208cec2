package terminal

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// layout is the width of each column; 0 leaves the column out.
type layout struct {
	width                                  int
	label, service, kind, start, took, bar int

	// The time that the bars represent.
	origin time.Time
	total  time.Duration
}

const (
	gap           = 2
	kindColumn    = 8 // "internal", "producer"
	minBar        = 10
	maxBar        = 48
	wantedLabel   = 38 // a label cut to this is still recognisable
	minTimedLabel = 22
)

// measure decides which columns there is room for. Labels take precedence, then times, then
// service and kind, which otherwise follow the label, then bars.
func measure(rows []row, width int) layout {
	l := layout{width: width}
	natural, waits, service := len("SPAN"), 0, len("SERVICE")
	l.start, l.took = len("START"), len("TOOK")

	for i := range rows {
		r := &rows[i]
		if !r.columns {
			continue
		}

		label := textfmt.Width(r.prefix) + r.label.join("  ", r.badge).width()
		if r.service == "" {
			waits = max(waits, label)
		} else {
			natural = max(natural, label)
		}

		service = max(service, textfmt.Width(r.service))
		l.start = max(l.start, textfmt.Width(r.start))
		l.took = max(l.took, textfmt.Width(r.took))
	}

	rest := width - 2*gap - l.start - l.took
	service = min(service, max(len("SERVICE"), width/5))
	natural = max(natural, waits-2*gap-service-kindColumn)

	if wide := rest - 2*gap - service - kindColumn; wide >= min(natural, wantedLabel) {
		l.service, l.kind = service, kindColumn
		l.label = min(natural, wide)

		if bar := wide - l.label - gap; bar >= minBar {
			l.bar = min(bar, maxBar)
		}

		return l
	}

	if rest < minTimedLabel {
		rest += gap + l.start
		l.start = 0
	}

	l.label = rest

	return l
}

func (l *layout) writeTitles(c *canvas) {
	title := func(text string, columns int, right bool) {
		if columns == 0 {
			return
		}

		if right {
			c.space(columns - len(text))
		}

		c.put(chunk{text, faint})

		if !right {
			c.space(columns - len(text))
		}

		c.space(gap)
	}
	title("SPAN", l.label, false)
	title("SERVICE", l.service, false)
	title("KIND", l.kind, false)
	title("START", l.start, true)
	title("TOOK", l.took, true)
	title("TIMELINE", l.bar, false)
	c.newline()
}

func (l *layout) write(c *canvas, r *row) {
	prefix := textfmt.Width(r.prefix)
	c.put(chunk{r.prefix, faint})

	if !r.columns {
		c.put(r.label.fit(max(l.width-prefix, minDetailWidth))...)
		c.newline()

		return
	}

	room := l.label - prefix
	if r.service == "" && l.service > 0 {
		room += gap + l.service + gap + l.kind // which a wait does not use
	}

	label, below := r.fitLabel(room, l.service == 0)
	c.put(label...)
	l.writeColumns(c, r, prefix+label.width())
	c.newline()

	if len(below) > 0 {
		c.put(chunk{r.under, faint})
		c.put(below.fit(max(l.width-textfmt.Width(r.under), minDetailWidth))...)
		c.newline()
	}
}

// fitLabel returns the label with what follows it, and the part that has to go on the line
// below for lack of room. With meta, the service and the kind are included.
func (r *row) fitLabel(room int, meta bool) (label, below line) {
	label = slices.Clip(r.label)

	badge := r.badge.width()
	if badge > 0 {
		badge += gap
	}

	if !meta {
		return label.fit(max(room-badge, 1)).join("  ", r.badge), nil
	}

	if label.width()+badge <= room {
		label = label.join("  ", r.badge)
	} else {
		below = r.badge
	}

	switch words := r.meta(); {
	case len(below) > 0:
		below = below.join(" · ", words)
	case label.width()+gap+words.width() <= room:
		label = label.join("  ", words)
	case r.serviceChanged || r.kind != internalKind:
		below = words
	}

	return label.fit(max(room, 1)), below
}

// meta returns the service and the kind if they have no columns.
func (r *row) meta() line {
	var kind, service line
	if r.kind != "" {
		kind = line{{r.kind, faint}}
	}

	if r.serviceChanged && r.service != "" {
		service = line{{r.service, r.serviceStyle}}
	}

	return kind.join(" · ", service)
}

// writeColumns writes what follows the label, which took the given number of columns.
func (l *layout) writeColumns(c *canvas, r *row, used int) {
	if l.service > 0 && r.service != "" {
		service := textfmt.Fit(r.service, l.service)
		c.space(l.label - used + gap)
		c.put(chunk{service, r.serviceStyle})
		c.space(l.service - textfmt.Width(service) + gap)
		c.put(chunk{r.kind, faint})
		used = l.label + gap + l.service + gap + textfmt.Width(r.kind)
	}

	c.space(l.beforeTimes() - used + gap)

	if l.start > 0 {
		c.space(l.start - textfmt.Width(r.start))
		c.put(chunk{r.start, faint})
		c.space(gap)
	}

	c.space(l.took - textfmt.Width(r.took))
	c.put(chunk{r.took, r.tookStyle})

	if l.bar > 0 && !r.from.IsZero() {
		from, to := l.cells(r.from, r.to)
		c.space(gap + from)
		c.put(chunk{strings.Repeat(r.bar, to-from), r.barStyle})
	}
}

func (l *layout) beforeTimes() int {
	if l.service == 0 {
		return l.label
	}

	return l.label + gap + l.service + gap + l.kind
}

// cells returns the part of the bar column that a period covers, at least one cell.
func (l *layout) cells(from, to time.Time) (first, end int) {
	if l.total <= 0 {
		return 0, 1
	}

	scale := float64(l.bar) / float64(l.total)
	first = int(math.Floor(float64(from.Sub(l.origin)) * scale))
	end = int(math.Ceil(float64(to.Sub(l.origin)) * scale))
	first = min(max(first, 0), l.bar-1)

	return first, min(max(end, first+1), l.bar)
}
