package order

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"go.opentelemetry.io/otel/baggage"
)

const (
	// TenantHeader is the header with the tenant that an order is for.
	TenantHeader = "X-Tenant-ID"
	// TenantBaggage is the baggage member under which the tenant travels with
	// the trace, through both queues, to the email worker.
	TenantBaggage = "tenant.id"
)

// tenantPattern matches valid tenant ids. The id ends up in headers of requests, messages
// and tasks and on spans, so anything else is rejected.
var tenantPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$`)

var errTenant = errors.New(TenantHeader + " must be 1 to 64 letters, digits, - or _")

// tenantOf returns the tenant from the header or, if another service of the company calls
// this one, from the baggage that it sent.
func tenantOf(r *http.Request) (string, error) {
	tenant := r.Header.Get(TenantHeader)
	if tenant == "" {
		tenant = baggage.FromContext(r.Context()).Member(TenantBaggage).Value()
	}
	if tenant != "" && !tenantPattern.MatchString(tenant) {
		return "", errTenant
	}
	return tenant, nil
}

// withTenant adds the tenant to the baggage.
func withTenant(ctx context.Context, tenant string) context.Context {
	member, err := baggage.NewMemberRaw(TenantBaggage, tenant)
	if err != nil {
		return ctx
	}
	bag, err := baggage.FromContext(ctx).SetMember(member)
	if err != nil {
		return ctx // The incoming baggage is full: continue without.
	}
	return baggage.ContextWithBaggage(ctx, bag)
}
