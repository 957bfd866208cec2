package tracefile

import (
	"fmt"
	"strconv"

	"github.com/mqtrace/mqtrace/internal/traceview/textfmt"
)

// Result describes what was read, apart from the spans.
type Result struct {
	Spans int
	// Invalid counts spans left out because they have no valid ids.
	Invalid int
	// Damaged counts the places that were skipped because they are not JSON, or not in a
	// known format. The first is in DamagedLine, or in a value that begins there.
	Damaged, DamagedLine int
	// Partial is why the server left a part out, if it says that it did.
	Partial string
	// CutOff reports whether the last document was incomplete. The complete part of it was
	// read.
	CutOff bool

	known   bool // some document is of a known kind
	unknown int  // documents of unknown kinds
}

// Warnings returns a text about each kind of thing that was left out.
func (r Result) Warnings() []string {
	var out []string

	if r.CutOff {
		out = append(out, "cut off: only the complete part was read")
	}

	if r.Invalid > 0 {
		out = append(out, fmt.Sprintf("spans left out: %d, without valid ids or with too many parts", r.Invalid))
	}

	if r.Damaged > 0 {
		where := ", in line "
		if r.Damaged > 1 {
			where = ", the first in line "
		}

		out = append(out, textfmt.Count(r.Damaged, "place")+" skipped"+where+strconv.Itoa(r.DamagedLine)+": not JSON of a known format")
	}

	if r.Partial != "" {
		out = append(out, "the server reports that a part of the trace is missing: "+r.Partial)
	}

	if r.known && r.unknown > 0 {
		out = append(out, textfmt.Count(r.unknown, "document")+" skipped: no traces")
	}

	return out
}
