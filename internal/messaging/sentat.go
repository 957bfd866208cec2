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
	// PublishIDHeader tells a message that the broker returns from others.
	PublishIDHeader = "mqtrace-publish-id"
)

// SentAt is the value of SentAtHeader.
func SentAt(now time.Time) string { return strconv.FormatInt(now.UnixMicro(), 10) }

// Age is how long before now a message was sent, by what its SentAtHeader says and
// where that is absent or unusable by at, its timestamp. The producer's clock may be
// ahead of ours: nothing is sent in the future, so its age is 0 then.
func Age(sentAt string, at, now time.Time) (age time.Duration, known bool) {
	if micros, err := strconv.ParseInt(sentAt, 10, 64); err == nil && micros > 0 {
		return max(0, now.Sub(time.UnixMicro(micros))), true
	}
	if at.IsZero() || at.Unix() <= 0 {
		return 0, false
	}
	return max(0, now.Sub(at)), true
}
