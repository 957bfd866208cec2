package order

import (
	"context"
	"errors"
	"net/http"
	"regexp"

	"go.opentelemetry.io/otel/baggage"
)

const (
	// TenantHeader says for which tenant an order is.
	TenantHeader = "X-Tenant-ID"
	// TenantBaggage is the baggage member under which the tenant travels with
	// the trace, through both queues, to the email worker.
	TenantBaggage = "tenant.id"
)

// tenantPattern is what a tenant id looks like. The id ends up in headers of
// requests, messages and tasks and on spans: nothing else gets in.
var tenantPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$`)

var errTenant = errors.New(TenantHeader + " must be 1 to 64 letters, digits, - or _")

// tenantOf reads the tenant from the header or, where another service of the
// company is in front of this one, from the baggage it sent.
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

// withTenant puts the tenant into the baggage, next to what is there already.
func withTenant(ctx context.Context, tenant string) context.Context {
	member, err := baggage.NewMemberRaw(TenantBaggage, tenant)
	if err != nil {
		return ctx
	}
	bag, err := baggage.FromContext(ctx).SetMember(member)
	if err != nil {
		return ctx // The baggage that came in is full: go on without.
	}
	return baggage.ContextWithBaggage(ctx, bag)
}
