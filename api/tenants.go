package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"customercenter/domain"
	"customercenter/domain/text"
	"customercenter/eventstore"
)

// Tenant is one company.
type Tenant struct {
	Slug      string    `json:"slug"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

// TenantInput is what a tenant is made with.
type TenantInput struct {
	Slug string `json:"slug" minLength:"1" maxLength:"32" pattern:"^[a-z0-9-]+$" doc:"1 to 32 of a-z, 0-9 and -. It never changes."`
	Name string `json:"name" doc:"1 to 100 characters."`
}

func (s *server) tenantOperations() {
	const tag = "Tenants"
	register(s, operation{id: "list-tenants", method: http.MethodGet, path: "/v1/tenants", tag: tag,
		summary: "List the tenants"}, s.listTenants)
	register(s, operation{id: "create-tenant", method: http.MethodPost, path: "/v1/tenants", tag: tag, status: http.StatusCreated,
		summary: "Add a tenant", errors: []int{http.StatusConflict}}, s.createTenant)
}

func (s *server) listTenants(ctx context.Context, _ *request, _ *struct{ After }) (*struct{ Body List[Tenant] }, error) {
	all, err := s.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	tenants := make([]Tenant, len(all))
	for i, t := range all {
		tenants[i] = tenantOf(t)
	}
	return &struct{ Body List[Tenant] }{whole(tenants)}, nil
}

func tenantOf(t eventstore.Tenant) Tenant {
	return Tenant{Slug: t.Slug, Name: t.Name, CreatedAt: t.CreatedAt.UTC()}
}

type createTenantInput struct {
	Write
	Body TenantInput
}

func (s *server) createTenant(ctx context.Context, r *request, in *createTenantInput) (*struct{ Body Tenant }, error) {
	name, ok := text.Line(in.Body.Name)
	switch {
	case !ok:
		return nil, invalid("name", domain.RuleCharacters)
	case name == "":
		return nil, invalid("name", domain.RuleRequired)
	case text.Length(name) > 100:
		return nil, domain.TooLong("name", 100)
	}
	slug, _, err := s.Answers.Do(ctx, r.once(in.IdempotencyKey), func(ctx context.Context) (string, error) {
		err := s.Store.CreateTenant(ctx, in.Body.Slug, name)
		if errors.Is(err, eventstore.ErrTenantExists) {
			return "", domain.Refuse(codeTenantExists).At("slug")
		}
		return in.Body.Slug, err
	})
	if err != nil {
		return nil, err
	}
	all, err := s.Store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range all {
		if t.Slug == slug {
			return &struct{ Body Tenant }{tenantOf(t)}, nil
		}
	}
	return nil, domain.Refuse(domain.CodeNotFound)
}
