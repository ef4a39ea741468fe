package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// byAccount is the maker of the tokens that stand for accounts of a company. Nobody else makes tokens under that name.
var byAccount = Maker{Kind: string(Operator), ID: "company-account"}

// Account is a person whom a company's own sign-in has proven, and what they may do.
type Account struct {
	Tenant   string // empty for an operator
	Role     Role
	Actor    string // id under which events name them
	Personal bool
}

// OpenAccount signs in with an account of a company, for SignInFor or less, and returns the secret for the cookie: always a new one. proof is kept until the sign-in ends, sealed with that secret, see Proof.
//
// What the sign-in may do is what a token may, as with every sign-in. Each person has one for what they may do, which nobody has ever seen, so that it stands in the
// list and revoking it ends their sign-ins; the next one gets another. Error: ErrTenant.
func (s *SignIns) OpenAccount(ctx context.Context, a Account, lasts time.Duration, proof []byte) (secret string, err error) {
	secret, hash := newSecret()
	lasts = min(lasts, SignInFor)
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		token, err := s.tokenOf(ctx, tx, a, s.now().Add(lasts))
		if err != nil {
			return err
		}
		return s.insert(ctx, tx, hash, token, lasts, sealerOf(secret).seal("account", proof))
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// tokenOf returns the token of an account, which counts until then or longer. It is made if there is none, or if it was revoked.
func (s *SignIns) tokenOf(ctx context.Context, tx pgx.Tx, a Account, until time.Time) (id uuid.UUID, err error) {
	// The same person, in two windows at the same moment, has one token.
	if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('company account ' || $1 || ' ' || $2, 0))`, a.Tenant, a.Actor); err != nil {
		return id, fmt.Errorf("access: token of an account: %w", err)
	}
	err = tx.QueryRow(ctx, `update tokens set expires_at = greatest(expires_at, $7) where id = (
			select id from tokens where tenant is not distinct from nullif($1, '') and role = $2 and actor_id = $3 and personal = $4
				and created_by_kind = $5 and created_by_id = $6 and revoked_at is null order by id desc limit 1)
		returning id`, a.Tenant, string(a.Role), a.Actor, a.Personal, byAccount.Kind, byAccount.ID, until).Scan(&id)
	if err == nil {
		return id, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) {
		return id, fmt.Errorf("access: token of an account: %w", err)
	}
	var unknown [sha256.Size]byte // the hash of nothing that anybody has
	rand.Read(unknown[:])
	if id, err = uuid.NewV7(); err != nil {
		return id, fmt.Errorf("access: token of an account: %w", err)
	}
	_, err = tx.Exec(ctx, `insert into tokens (id, tenant, hash, role, actor_kind, actor_id, name, personal, created_at, expires_at, created_by_kind, created_by_id)
		values ($1, nullif($2, ''), $3, $4, $4, $5, 'company account', $6, $7, $8, $9, $10)`,
		id, a.Tenant, unknown[:], string(a.Role), a.Actor, a.Personal, s.now(), until, byAccount.Kind, byAccount.ID)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23503" {
		return id, ErrTenant
	}
	if err != nil {
		return id, fmt.Errorf("access: token of an account: %w", err)
	}
	return id, nil
}

// Proof returns what OpenAccount was given for the sign-in of a cookie's secret; nil if there is no such sign-in, if it is over, or if it is none with an account.
func (s *SignIns) Proof(ctx context.Context, secret string) ([]byte, error) {
	if len(secret) > maxToken {
		return nil, nil
	}
	hash := sha256.Sum256([]byte(secret))
	var sealed []byte
	err := s.pool.QueryRow(ctx, `select account from sign_ins where hash = $1 and ended_at is null and expires_at > $2`, hash[:], s.now()).Scan(&sealed)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("access: sign-in: %w", err)
	}
	proof, _ := sealerOf(secret).open("account", sealed) // nothing opens as nothing
	return proof, nil
}
