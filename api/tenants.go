package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"customercenter/commands"
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
	register(s, operation{id: "get-tenant", method: http.MethodGet, path: "/v1/tenants/{slug}", tag: tag,
		summary: "Show a tenant and its entitlements"}, s.getTenant)
	register(s, operation{id: "grant-entitlement", method: http.MethodPut, path: "/v1/tenants/{slug}/entitlements/{entitlement}", tag: tag,
		summary: "Let a tenant use a paid capability"}, s.grantEntitlement)
	register(s, operation{id: "revoke-entitlement", method: http.MethodDelete, path: "/v1/tenants/{slug}/entitlements/{entitlement}", tag: tag,
		summary: "Take a paid capability away from a tenant"}, s.revokeEntitlement)
}

// OneTenant is a tenant with what it may use.
type OneTenant struct {
	Tenant
	Entitlements []string `json:"entitlements" nullable:"false" doc:"Paid capabilities."`
}

type oneTenant struct {
	Body OneTenant
}

type tenantAddress struct {
	After
	Slug string `path:"slug" maxLength:"32"`
}

func (s *server) getTenant(ctx context.Context, _ *request, in *tenantAddress) (*oneTenant, error) {
	found, err := s.tenant(ctx, in.Slug)
	return &oneTenant{Body: found}, err
}

// tenant returns the tenant of a slug. Refused: NOT_FOUND.
func (s *server) tenant(ctx context.Context, slug string) (OneTenant, error) {
	all, err := s.Store.Tenants(ctx)
	if err != nil {
		return OneTenant{}, err
	}
	for _, t := range all {
		if t.Slug == slug {
			state, version, err := s.Catalogues.Settings(ctx, slug)
			return OneTenant{Tenant: tenantOf(t), Entitlements: settingsOf(&state, version).Entitlements}, err
		}
	}
	return OneTenant{}, domain.Refuse(domain.CodeNotFound)
}

type entitlementInput struct {
	Write
	Slug        string `path:"slug" maxLength:"32"`
	Entitlement string `path:"entitlement" maxLength:"64" doc:"So far: import."`
}

type entitlementOutput struct {
	Written
	Body OneTenant
}

func (s *server) grantEntitlement(ctx context.Context, r *request, in *entitlementInput) (*entitlementOutput, error) {
	return s.entitle(ctx, r, in, commands.GrantEntitlement{Entitlement: in.Entitlement}.Run)
}

func (s *server) revokeEntitlement(ctx context.Context, r *request, in *entitlementInput) (*entitlementOutput, error) {
	return s.entitle(ctx, r, in, commands.RevokeEntitlement{Entitlement: in.Entitlement}.Run)
}

// entitle carries out an operator's command in the log of the tenant that it concerns.
func (s *server) entitle(ctx context.Context, r *request, in *entitlementInput, run func(context.Context, *commands.Center, commands.By) (commands.Done, error)) (*entitlementOutput, error) {
	if _, err := s.tenant(ctx, in.Slug); err != nil {
		return nil, err
	}
	by := r.by(in.IdempotencyKey)
	by.Tenant = in.Slug
	done, err := run(ctx, s.Center, by)
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && refusal.Location == "entitlement" { // it stands in the address: there is no such thing
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	if err != nil {
		return nil, err
	}
	now, err := s.tenant(ctx, in.Slug)
	return &entitlementOutput{Written: Written{done.Position}, Body: now}, err
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
