package carrier_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/baggage"

	"github.com/mqtrace/mqtrace/carrier"
)

func TestBaggageIsCutBetweenMembers(t *testing.T) {
	member := func(i int, size int) string {
		key := "k" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "="
		return key + strings.Repeat("v", size-len(key))
	}
	list := func(n, size int) string {
		var members []string
		for i := range n {
			members = append(members, member(i, size))
		}
		return strings.Join(members, ",")
	}
	tests := map[string]struct {
		value string
		want  int
	}{
		"64 members":       {list(64, 10), 64},
		"65 members":       {list(65, 10), 64},
		"8192 bytes":       {list(3, 2730), 3}, // 3×2730 and two commas
		"8193 bytes":       {list(3, 2730) + " ", 3},
		"8194 bytes":       {list(2, 2730) + "," + member(3, 2732), 2},
		"1 MiB":            {list(1024, 1023), 8},
		"one of 1 MiB":     {member(0, 1<<20), 0},
		"1 MiB of commas":  {strings.Repeat(",", 1<<20), 0},
		"invalid UTF-8":    {"a=\xff,b=2", 1},
		"exactly at comma": {list(3, 2730) + "," + member(4, 20), 3},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := carrier.Table{"baggage": tt.value}.Extract(context.Background(), propagator)
			if got := baggage.FromContext(ctx).Len(); got != tt.want {
				t.Errorf("read %d members, want %d", got, tt.want)
			}
			written := make(carrier.Table)
			written.Set("baggage", tt.value)
			s, _ := written["baggage"].(string)
			if len(s) > 8192 || strings.Count(s, ",") > 63 || strings.HasSuffix(s, ",") {
				t.Errorf("wrote %d bytes, %d commas", len(s), strings.Count(s, ","))
			}
		})
	}
}

// OpenTelemetry does not apply the limits to baggage built member by member.
func TestInjectCutsBaggage(t *testing.T) {
	var bag baggage.Baggage
	for i := range 100 {
		m, err := baggage.NewMember("key"+string(rune('A'+i%26))+string(rune('A'+i/26)), strings.Repeat("v", 100))
		if err != nil {
			t.Fatal(err)
		}
		if bag, err = bag.SetMember(m); err != nil {
			t.Fatal(err)
		}
	}
	message := carrier.Headers(nil).Inject(baggage.ContextWithBaggage(context.Background(), bag), propagator)
	if got := strings.Count(message["baggage"], "="); got != 64 {
		t.Errorf("%d members were written, want 64", got)
	}
	one, err := baggage.NewMember("k", strings.Repeat("v", 9000))
	if err != nil {
		t.Fatal(err)
	}
	var large baggage.Baggage
	if large, err = large.SetMember(one); err != nil {
		t.Fatal(err)
	}
	message = carrier.Headers{"baggage": "stale=1"}.Inject(baggage.ContextWithBaggage(context.Background(), large), propagator)
	if v, ok := message["baggage"]; ok {
		t.Errorf("baggage of which nothing is within the limits was written as %q", v)
	}
}
