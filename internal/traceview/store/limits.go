package store

// Limits bound what a [Store] keeps and what a receiver for it accepts. A field that is
// zero or negative means its default.
type Limits struct {
	// Traces is the number of traces kept. By default, 1000.
	Traces int
	// Spans is the number of spans kept in all traces together. By default, 100,000.
	Spans int
	// SpansPerTrace is the number of spans kept of one trace, so that a trace that never
	// ends does not push out all others. By default, 20,000, or Spans if that is less.
	SpansPerTrace int
	// Bytes is an estimate of the memory that the kept spans take. By default,
	// 128 MiB.
	Bytes int
	// RequestBytes is the largest request body, before and after decompression. By default,
	// 20 MiB, as the OTLP specification recommends, or four times Bytes if that is less.
	RequestBytes int
}

const (
	defaultTraces        = 1000
	defaultSpans         = 100_000
	defaultSpansPerTrace = 20_000
	defaultBytes         = 128 << 20
	defaultRequestBytes  = 20 << 20
	minRequestBytes      = 1 << 20
	requestShare         = 4
)

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&l.Traces, defaultTraces)
	set(&l.Spans, defaultSpans)
	set(&l.SpansPerTrace, defaultSpansPerTrace)
	set(&l.Bytes, defaultBytes)
	set(&l.RequestBytes, min(defaultRequestBytes, max(minRequestBytes, requestShare*l.Bytes)))

	l.SpansPerTrace = min(l.SpansPerTrace, l.Spans)

	return l
}
