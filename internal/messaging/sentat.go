package messaging

import (
	"strconv"
	"time"
)

// Headers of this project's own.
const (
	// SentAtHeader is when the producer sent the message: decimal microseconds
	// since 1970, as text, which every client reads alike.
	SentAtHeader = "mqtrace-sent-at"
	// PublishIDHeader identifies a message that the broker returns.
	PublishIDHeader = "mqtrace-publish-id"
	// NewTraceHeader asks the consumer to start a new trace, if its value is NewTraceRequested.
	NewTraceHeader    = "mqtrace-new-trace"
	NewTraceRequested = "1"
)

// SentAt is the value of SentAtHeader.
func SentAt(now time.Time) string { return strconv.FormatInt(now.UnixMicro(), 10) }

// Age returns how long before now a message was sent, by its SentAtHeader or, if that is
// absent or unusable, by its timestamp at, which has whole seconds. If the producer's clock
// is ahead of ours, the age is 0.
func Age(sentAt string, at, now time.Time) (age time.Duration, by Clock) {
	if micros, err := strconv.ParseInt(sentAt, 10, 64); err == nil && micros > 0 {
		return max(0, now.Sub(time.UnixMicro(micros))), Stamp
	}
	if at.IsZero() || at.Unix() <= 0 {
		return 0, Unknown
	}
	return max(0, now.Sub(at)), Timestamp
}

// A Clock is the source of a message's age.
type Clock uint8

// The clocks.
const (
	Unknown Clock = iota
	Timestamp
	Stamp
)

// coarse is the lowest age that a clock of whole seconds may measure: the result is off by
// a fifth at most.
const coarse = 5 * time.Second

// Measures reports whether an age is a measurement of the time that a message has waited.
// A message that has waited for a millisecond can have a timestamp of a second ago.
func (c Clock) Measures(age time.Duration) bool {
	return c == Stamp || c == Timestamp && age >= coarse
}
