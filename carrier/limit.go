package carrier

import "strings"

// The limits of W3C Baggage: beyond them a propagator may drop members, and
// OpenTelemetry's drops all of the baggage.
// https://www.w3.org/TR/baggage/#limits
const (
	maxBaggageMembers = 64
	maxBaggageBytes   = 8192
)

// limit cuts a baggage value after the last member that fits. Other fields are
// returned as they are.
func limit(key, value string) string {
	// A value with no more bytes than the allowed members cannot have too many.
	if len(value) <= maxBaggageMembers || !equalFold(key, baggage) {
		return value
	}
	end := 0
	for range maxBaggageMembers {
		next := len(value)
		if i := strings.IndexByte(value[end:], ','); i >= 0 {
			next = end + i
		}
		if next > maxBaggageBytes {
			break
		}
		if next == len(value) {
			return value
		}
		end = next + 1
	}
	return strings.TrimRight(value[:end], ",")
}
