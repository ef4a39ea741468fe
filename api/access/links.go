package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Link makes the secret of a link that signs in with a token, once, within a time.
func (s *SignIns) Link(ctx context.Context, token uuid.UUID, within time.Duration) (secret string, err error) {
	secret, hash := newSecret()
	now := s.now()
	_, err = s.pool.Exec(ctx, `insert into sign_in_links (hash, token, created_at, expires_at) values ($1, $2, $3, $4)`,
		hash[:], token, now, now.Add(within))
	if err != nil {
		return "", fmt.Errorf("access: sign-in link: %w", err)
	}
	return secret, nil
}

// Look returns whom a link would sign in, and leaves it as it is. ErrNoLink, ErrLinkUsed, ErrLinkOver.
func (s *SignIns) Look(ctx context.Context, secret string) (Principal, error) {
	return s.link(ctx, s.pool, secret, "")
}

// Use signs in by a link, which counts no more, and returns the secret for the cookie. ErrNoLink, ErrLinkUsed, ErrLinkOver.
func (s *SignIns) Use(ctx context.Context, secret string) (cookie string, err error) {
	cookie, hash := newSecret()
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		who, err := s.link(ctx, tx, secret, " for update") // two at the same moment: the second finds it used
		if err != nil {
			return err
		}
		used := sha256.Sum256([]byte(secret))
		if _, err := tx.Exec(ctx, `update sign_in_links set used_at = $2 where hash = $1`, used[:], s.now()); err != nil {
			return fmt.Errorf("access: use sign-in link: %w", err)
		}
		return s.insert(ctx, tx, hash, who.Token, SignInFor, nil)
	})
	if err != nil {
		return "", err
	}
	return cookie, nil
}

func (s *SignIns) link(ctx context.Context, db database, secret, lock string) (Principal, error) {
	if len(secret) > maxToken {
		return Principal{}, ErrNoLink
	}
	hash := sha256.Sum256([]byte(secret))
	var id uuid.UUID
	var expires time.Time
	var used *time.Time
	err := db.QueryRow(ctx, `select token, expires_at, used_at from sign_in_links where hash = $1`+lock, hash[:]).Scan(&id, &expires, &used)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Principal{}, ErrNoLink
	case err != nil:
		return Principal{}, fmt.Errorf("access: sign-in link: %w", err)
	case used != nil:
		return Principal{}, ErrLinkUsed
	case !s.now().Before(expires):
		return Principal{}, ErrLinkOver
	}
	token, err := counting(ctx, db, id, s.now())
	if errors.Is(err, ErrUnknown) {
		return Principal{}, ErrLinkOver
	}
	return token.principal(), err
}
