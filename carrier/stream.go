package carrier

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/propagation"

	"github.com/mqtrace/mqtrace/internal/headers"
)

// InjectStream returns a copy of values that carries the context of ctx, as fields of
// the entry beside its own. values is what go-redis takes as XAddArgs.Values, in any of
// its shapes, and the copy has the same shape: a map[string]any or map[string]string,
// or a []any or []string of fields and values by turns, whose order stays.
//
//	args.Values = carrier.InjectStream(ctx, propagator, args.Values)
//
// Whatever values held under the propagator's fields, in any letter case, is left out
// of the copy. Values that are empty or of another shape come back as they are, for
// go-redis to deal with. A nil propagator stands for OpenTelemetry's global one.
//
// What is read, go-redis's XMessage.Values, is a map[string]any: a [Table].
//
//	ctx = carrier.Table(msg.Values).Extract(ctx, propagator)
func InjectStream(ctx context.Context, propagator propagation.TextMapPropagator, values any) any {
	switch v := values.(type) {
	case map[string]any:
		if len(v) > 0 {
			return map[string]any(Table(v).Inject(ctx, propagator))
		}
	case map[string]string:
		if len(v) > 0 {
			return map[string]string(Headers(v).Inject(ctx, propagator))
		}
	case []any:
		if isPairs(v) {
			return injectPairs(ctx, v, propagator)
		}
	case []string:
		if isPairs(v) {
			return injectPairs(ctx, v, propagator)
		}
	}
	return values
}

// isPairs tells whether s has a value for each of its fields. To one that has not
// nothing can be added without making Redis take for a value what was a field.
func isPairs[V any](s []V) bool { return len(s) > 0 && len(s)%2 == 0 }

func injectPairs[V any](ctx context.Context, pairs []V, p propagation.TextMapPropagator) []V {
	ctx, p = headers.OrDefaults(ctx, p)
	fields := p.Fields()
	out := make([]V, 0, len(pairs)+2*len(fields))
	for pair := range slices.Chunk(pairs, 2) {
		if !headers.IsField(headers.Text(pair[0]), fields) {
			out = append(out, pair...)
		}
	}
	carried := Headers(nil).Inject(ctx, p)
	for _, f := range sortedKeys(carried) {
		out = append(out, any(f).(V), any(carried[f]).(V)) //nolint:forcetypeassert // V is string or any
	}
	return out
}

// sortedKeys makes entries with the same fields in the same order: Redis stores the
// field names of neighbours that agree only once.
func sortedKeys(h Headers) []string {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
