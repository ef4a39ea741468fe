package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	prefix = "cc_"
	// fresh is how long a verified token is believed without asking: a revocation is seen everywhere within it.
	fresh = 5 * time.Second
	// remembered bounds the tokens that a process believes.
	remembered = 10_000
	// maxToken is ample for any token; longer texts are not even hashed.
	maxToken = 128
)

// Tokens makes, verifies and revokes tokens. It is safe for concurrent use.
type Tokens struct {
	pool *pgxpool.Pool
	now  func() time.Time
	// secret is the tenant's, from which a repeated request gets its token again.
	secret func(ctx context.Context, tenant string) ([]byte, error)

	mu       sync.Mutex
	believed map[[sha256.Size]byte]belief
}

type belief struct {
	principal Principal
	expires   time.Time // of the token; zero: never
	until     time.Time // of the belief
}

// NewTokens returns the tokens of a migrated database. secret returns a tenant's secret, as eventstore.Store does.
func NewTokens(pool *pgxpool.Pool, now func() time.Time, secret func(ctx context.Context, tenant string) ([]byte, error)) *Tokens {
	return &Tokens{pool: pool, now: now, secret: secret, believed: map[[sha256.Size]byte]belief{}}
}

// New is a token to be made.
type New struct {
	Tenant      string // empty for an operator
	Role        Role
	Actor       string // id of whom it is for
	Name        string
	Association int // of a channel
	Personal    bool
	ExpiresAt   time.Time // zero: never
	By          Maker
}

// Create makes a token and returns its text, which is not kept and cannot be shown again. once may be nil; if it is given,
// the same request gets the same token again, text included, until the request is forgotten.
//
// Errors: ErrTenant, ErrReused. What is in n is taken as checked; the database refuses a role without its tenant or association.
func (t *Tokens) Create(ctx context.Context, n New, once *Once) (text string, token Token, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", Token{}, fmt.Errorf("access: create token: %w", err)
	}
	var salt []byte
	var secret [32]byte
	rand.Read(secret[:])
	if once != nil {
		salt = make([]byte, 16)
		rand.Read(salt)
		if secret, err = t.derive(ctx, n.Tenant, id, salt); err != nil {
			return "", Token{}, err
		}
	}
	var answer string
	err = pgx.BeginFunc(ctx, t.pool, func(tx pgx.Tx) error {
		if once != nil {
			// The key comes first: the same request, arriving at the same moment, waits here for this one.
			kept, err := keep(ctx, tx, once, t.now(), id.String())
			if err != nil {
				return err
			}
			if !kept {
				answer, _, err = find(ctx, tx, once, t.now())
				return err
			}
		}
		hash := sha256.Sum256([]byte(encode(secret)))
		_, err := tx.Exec(ctx, `insert into tokens (id, tenant, hash, salt, role, actor_kind, actor_id, name, association, personal, created_at, expires_at,
				created_by_kind, created_by_id)
			values ($1, nullif($2, ''), $3, $4, $5, $5, $6, $7, nullif($8, 0), $9, $10, $11, nullif($12, ''), nullif($13, ''))`,
			id, n.Tenant, hash[:], salt, string(n.Role), n.Actor, n.Name, n.Association, n.Personal, t.now(), orNull(n.ExpiresAt), n.By.Kind, n.By.ID)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23503" {
		return "", Token{}, ErrTenant
	}
	if err != nil {
		return "", Token{}, fmt.Errorf("access: create token: %w", err)
	}
	if answer != "" { // the request was carried out before
		return t.again(ctx, n.Tenant, answer)
	}
	token, _, err = t.one(ctx, n.Tenant, id)
	return encode(secret), token, err
}

// again returns a token that was made for the same request before.
func (t *Tokens) again(ctx context.Context, tenant, answer string) (string, Token, error) {
	id, err := uuid.Parse(answer)
	if err != nil {
		return "", Token{}, fmt.Errorf("access: create token: %w", err)
	}
	token, salt, err := t.one(ctx, tenant, id)
	if err != nil {
		return "", Token{}, err
	}
	secret, err := t.derive(ctx, tenant, id, salt)
	return encode(secret), token, err
}

// derive makes the secret of a token that was asked for with a key: nothing in the database alone leads to it.
func (t *Tokens) derive(ctx context.Context, tenant string, id uuid.UUID, salt []byte) (secret [32]byte, err error) {
	if tenant == "" {
		return secret, errors.New("access: an operator's token cannot be asked for with a key")
	}
	key, err := t.secret(ctx, tenant)
	if err != nil {
		return secret, err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("access token\x00"))
	mac.Write(id[:])
	mac.Write(salt)
	return [32]byte(mac.Sum(nil)), nil
}

func encode(secret [32]byte) string { return prefix + base64.RawURLEncoding.EncodeToString(secret[:]) }

// Verify returns who a token belongs to. Errors: ErrUnknown; others mean that it could not be found out.
func (t *Tokens) Verify(ctx context.Context, text string) (Principal, error) {
	if !wellFormed(text) {
		return Principal{}, ErrUnknown
	}
	hash := sha256.Sum256([]byte(text))
	now := t.now()
	t.mu.Lock()
	b, ok := t.believed[hash]
	t.mu.Unlock()
	if !ok || !now.Before(b.until) {
		err := soon(ctx, func(ctx context.Context) (err error) {
			b, err = t.load(ctx, hash, now)
			return err
		})
		if err != nil {
			if errors.Is(err, ErrUnknown) {
				t.forget(func(h [sha256.Size]byte, _ belief) bool { return h == hash })
			}
			return Principal{}, err
		}
		t.mu.Lock()
		if len(t.believed) >= remembered { // rare, and asking again costs little
			clear(t.believed)
		}
		t.believed[hash] = b
		t.mu.Unlock()
	}
	if !b.expires.IsZero() && !now.Before(b.expires) {
		return Principal{}, ErrUnknown
	}
	return b.principal, nil
}

// Valid reports, past all beliefs, whether a token of the tenant has neither expired nor been revoked.
func (t *Tokens) Valid(ctx context.Context, tenant string, id uuid.UUID) (bool, error) {
	token, err := t.One(ctx, tenant, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil && token.RevokedAt.IsZero() && (token.ExpiresAt.IsZero() || t.now().Before(token.ExpiresAt)), err
}

// Known reports, without asking the database, whether a token was valid when this process saw it last.
func (t *Tokens) Known(text string) bool {
	if !wellFormed(text) {
		return false
	}
	hash := sha256.Sum256([]byte(text))
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.believed[hash]
	return ok
}

func wellFormed(text string) bool { return strings.HasPrefix(text, prefix) && len(text) <= maxToken }

// load asks the database, and notes once a minute that the token is in use.
func (t *Tokens) load(ctx context.Context, hash [sha256.Size]byte, now time.Time) (belief, error) {
	token, _, err := t.query(ctx, `where hash = $1 and revoked_at is null`, hash[:])
	if errors.Is(err, pgx.ErrNoRows) {
		return belief{}, ErrUnknown
	}
	if err != nil {
		return belief{}, fmt.Errorf("access: verify: %w", err)
	}
	if now.Sub(token.LastUsedAt) >= time.Minute {
		_, err := t.pool.Exec(ctx, `update tokens set last_used_at = $2
			where id = $1 and (last_used_at is null or last_used_at <= $2::timestamptz - interval '1 minute')`, token.ID, now)
		if err != nil { // a convenience for people; no reason to turn the request away
			slog.WarnContext(ctx, "access: the use of a token could not be noted", "token", token.ID, "error", err)
		}
	}
	return belief{principal: token.principal(), expires: token.ExpiresAt, until: now.Add(fresh)}, nil
}

func (t Token) principal() Principal {
	return Principal{Token: t.ID, Tenant: t.Tenant, Role: t.Role, Kind: t.Kind, ID: t.Actor, Association: t.Association,
		Personal: t.Role != Analyst || t.Personal}
}

// Revoke ends a token of the tenant. It is refused everywhere within five seconds; revoking it again changes nothing.
// Error: ErrNotFound.
func (t *Tokens) Revoke(ctx context.Context, tenant string, id uuid.UUID) error {
	tag, err := t.pool.Exec(ctx, `update tokens set revoked_at = coalesce(revoked_at, $3)
		where id = $2 and tenant is not distinct from nullif($1, '')`, tenant, id, t.now())
	if err != nil {
		return fmt.Errorf("access: revoke: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	t.forget(func(_ [sha256.Size]byte, b belief) bool { return b.principal.Token == id }) // here at once; other processes by themselves
	return nil
}

// forget stops believing some tokens.
func (t *Tokens) forget(which func(hash [sha256.Size]byte, b belief) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.believed, which)
}

// List returns the tenant's tokens, the newest first, revoked and expired ones too, and where to go on; uuid.Nil at the end.
func (t *Tokens) List(ctx context.Context, tenant string, after uuid.UUID, limit int) (tokens []Token, next uuid.UUID, err error) {
	// Ids are made in the order of time, so that they alone place a token in the list.
	rows, err := t.pool.Query(ctx, `select `+columns+` from tokens
		where tenant is not distinct from nullif($1, '') and ($2::uuid is null or id < $2) order by id desc limit $3`, tenant, orNone(after), limit+1)
	if err != nil {
		return nil, uuid.Nil, fmt.Errorf("access: list: %w", err)
	}
	tokens, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Token, error) {
		token, _, err := scan(row)
		return token, err
	})
	if err != nil {
		return nil, uuid.Nil, fmt.Errorf("access: list: %w", err)
	}
	if len(tokens) > limit {
		tokens = tokens[:limit]
		next = tokens[limit-1].ID
	}
	return tokens, next, nil
}

// One returns a token of the tenant. Error: ErrNotFound.
func (t *Tokens) One(ctx context.Context, tenant string, id uuid.UUID) (Token, error) {
	token, _, err := t.one(ctx, tenant, id)
	return token, err
}

func (t *Tokens) one(ctx context.Context, tenant string, id uuid.UUID) (Token, []byte, error) {
	token, salt, err := t.query(ctx, `where id = $1 and tenant is not distinct from nullif($2, '')`, id, tenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return Token{}, nil, ErrNotFound
	}
	if err != nil {
		return Token{}, nil, fmt.Errorf("access: token: %w", err)
	}
	return token, salt, nil
}

const columns = `id, coalesce(tenant, ''), role, actor_kind, actor_id, name, coalesce(association, 0), personal,
	created_at, expires_at, revoked_at, last_used_at, coalesce(created_by_kind, ''), coalesce(created_by_id, ''), salt`

func (t *Tokens) query(ctx context.Context, where string, args ...any) (Token, []byte, error) {
	return scan(t.pool.QueryRow(ctx, `select `+columns+` from tokens `+where, args...))
}

func scan(row pgx.Row) (token Token, salt []byte, err error) {
	var expires, revoked, used *time.Time
	err = row.Scan(&token.ID, &token.Tenant, &token.Role, &token.Kind, &token.Actor, &token.Name, &token.Association, &token.Personal,
		&token.CreatedAt, &expires, &revoked, &used, &token.CreatedBy.Kind, &token.CreatedBy.ID, &salt)
	token.CreatedAt = token.CreatedAt.UTC()
	token.ExpiresAt, token.RevokedAt, token.LastUsedAt = orZero(expires), orZero(revoked), orZero(used)
	return token, salt, err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func orNone(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
