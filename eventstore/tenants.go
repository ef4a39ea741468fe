package eventstore

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore/keyring"
	"customercenter/eventstore/tenancy"
)

// Tenant is one company.
type Tenant struct {
	Slug      string // [a-z0-9-]{1,32}
	Name      string
	CreatedAt time.Time
}

var (
	// ErrTenantExists says that the slug is taken.
	ErrTenantExists = errors.New("eventstore: the tenant exists")
	// ErrTenantSlug says that a slug is not 1 to 32 of a-z, 0-9 and "-".
	ErrTenantSlug = errors.New("eventstore: a tenant's slug is 1 to 32 of a-z, 0-9 and -")
	slugPattern   = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// CreateTenant makes a tenant with a secret of its own. ErrTenantSlug, ErrTenantExists.
func (s *Store) CreateTenant(ctx context.Context, slug, name string) error {
	if !slugPattern.MatchString(slug) {
		return ErrTenantSlug
	}
	tag, err := s.insertTenant(ctx, slug, name)
	if keyring.Outdated(err) {
		if err = s.keys.Learn(ctx); err == nil {
			tag, err = s.insertTenant(ctx, slug, name)
		}
	}
	if err != nil {
		return fmt.Errorf("eventstore: create tenant: %w", unavailable(err))
	}
	if tag.RowsAffected() == 0 {
		return ErrTenantExists
	}
	return nil
}

func (s *Store) insertTenant(ctx context.Context, slug, name string) (pgconn.CommandTag, error) {
	master, wrapped := s.keys.NewTenantSecret(slug)
	return s.db.Exec(ctx, `insert into tenants (slug, name, secret, master) values ($1, $2, $3, $4) on conflict do nothing`, slug, name, wrapped, master)
}

// Tenants lists all tenants by slug.
func (s *Store) Tenants(ctx context.Context) ([]Tenant, error) {
	rows, err := s.db.Query(ctx, `select slug, name, created_at from tenants order by slug`)
	if err != nil {
		return nil, fmt.Errorf("eventstore: tenants: %w", unavailable(err))
	}
	tenants, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Tenant])
	if err != nil {
		return nil, fmt.Errorf("eventstore: tenants: %w", unavailable(err))
	}
	return tenants, nil
}

// Secret is the tenant's secret, from which customer ids are made. ErrUnknownTenant.
func (s *Store) Secret(ctx context.Context, tenant string) ([]byte, error) {
	if secret, ok := s.secrets.Load(tenant); ok && tenancy.Allows(ctx, tenant) {
		return secret.([]byte), nil
	}
	var wrapped []byte
	var master string
	err := s.db.QueryRow(ctx, `select secret, master from tenants where slug = $1`, tenant).Scan(&wrapped, &master)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrUnknownTenant
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: tenant secret: %w", unavailable(err))
	}
	secret, err := s.keys.TenantSecret(tenant, master, wrapped)
	if err != nil {
		return nil, fmt.Errorf("eventstore: tenant secret: %w", err)
	}
	s.secrets.Store(tenant, secret)
	return secret, nil
}

// Epoch identifies this incarnation of the log; it changes when the log is restored from a backup.
func (s *Store) Epoch(ctx context.Context) (uuid.UUID, error) {
	var epoch uuid.UUID
	if err := s.db.QueryRow(ctx, `select epoch from log_epoch`).Scan(&epoch); err != nil {
		return uuid.Nil, fmt.Errorf("eventstore: epoch: %w", unavailable(err))
	}
	return epoch, nil
}

// Answered returns what a receipt says of a request that was carried out before, nil if there is none. Nothing keeps the same request from
// being carried out right after; an append with the receipt does.
func (s *Store) Answered(ctx context.Context, tenant, actor, route, key string) (*RepeatedError, error) {
	var r RepeatedError
	err := s.db.QueryRow(ctx, `select body, answer, position from receipts where tenant = $1 and actor = $2 and route = $3 and key = $4`,
		tenant, actor, route, key).Scan(&r.Body, &r.Answer, &r.Position)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("eventstore: receipt: %w", unavailable(err))
	}
	return &r, nil
}

// ForgetReceipts deletes receipts that have expired, some at a time, and returns how many.
func (s *Store) ForgetReceipts(ctx context.Context) (int64, error) {
	tag, err := s.db.Exec(ctx, `delete from receipts where ctid = any(array(
		select ctid from receipts where expires_at < now() order by expires_at limit 5000))`)
	if err != nil {
		return 0, fmt.Errorf("eventstore: forget receipts: %w", unavailable(err))
	}
	return tag.RowsAffected(), nil
}
