package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// SignInFor is how long a sign-in lasts at most, whatever happens.
	SignInFor = 12 * time.Hour
	// SignInIdle is how long it lasts without a page being asked for.
	SignInIdle = 2 * time.Hour
	// wroteFor is how long pages wait for the last write to be visible.
	wroteFor = time.Minute
)

// Why a sign-in does not count.
var (
	// ErrNoSignIn says that there is none of that secret, or that it was ended by signing out.
	ErrNoSignIn = errors.New("access: there is no such sign-in")
	// ErrSignInIdle says that nobody asked for a page for SignInIdle.
	ErrSignInIdle = errors.New("access: the sign-in was idle for too long")
	// ErrSignInOver says that it has lasted as long as it may: SignInFor, or less.
	ErrSignInOver = errors.New("access: the sign-in has lasted as long as it may")
	// ErrSignInRevoked says that its token was revoked or has expired.
	ErrSignInRevoked = errors.New("access: the sign-in's token does not count any more")
	// ErrLinkUsed says that a link has signed somebody in before.
	ErrLinkUsed = errors.New("access: the link has been used")
	// ErrLinkOver says that a link has expired, or that its token does not count any more.
	ErrLinkOver = errors.New("access: the link has expired")
	// ErrNoLink says that there never was such a link, or that it is long forgotten.
	ErrNoLink = errors.New("access: there is no such link")
)

// SignIns are the browsers that are signed in to the pages, and the links that sign in once. It is safe for concurrent use.
//
// Every page asks the database, which takes a fraction of a millisecond: so signing out, and revoking the token, counts at once and in every process.
type SignIns struct {
	pool *pgxpool.Pool
	now  func() time.Time
}

// NewSignIns returns the sign-ins of a migrated database.
func NewSignIns(pool *pgxpool.Pool, now func() time.Time) *SignIns {
	return &SignIns{pool: pool, now: now}
}

// SignIn is a browser that is signed in.
type SignIn struct {
	Principal
	// Wrote is the position of what was written a moment ago, which pages are to show; 0: nothing was.
	Wrote int64
	// Notice is what the next page is to tell; empty: nothing.
	Notice []byte

	hash   [sha256.Size]byte
	sealer sealer
}

// newSecret makes a secret and the hash by which it is kept.
func newSecret() (secret string, hash [sha256.Size]byte) {
	var random [32]byte
	rand.Read(random[:])
	secret = base64.RawURLEncoding.EncodeToString(random[:])
	return secret, sha256.Sum256([]byte(secret))
}

// Open signs in with a token that was verified, and returns the secret for the cookie: always a new one.
func (s *SignIns) Open(ctx context.Context, token uuid.UUID) (secret string, err error) {
	secret, hash := newSecret()
	if err := s.insert(ctx, s.pool, hash, token, SignInFor, nil); err != nil {
		return "", err
	}
	return secret, nil
}

func (s *SignIns) insert(ctx context.Context, db database, hash [sha256.Size]byte, token uuid.UUID, lasts time.Duration, account []byte) error {
	now := s.now()
	_, err := db.Exec(ctx, `insert into sign_ins (hash, token, created_at, expires_at, seen_at, account) values ($1, $2, $3, $4, $3, $5)`,
		hash[:], token, now, now.Add(lasts), account)
	if err != nil {
		return fmt.Errorf("access: sign in: %w", err)
	}
	return nil
}

// Find returns the sign-in of a cookie's secret. Errors: ErrNoSignIn, ErrSignInIdle, ErrSignInOver, ErrSignInRevoked; others mean that
// it could not be found out.
func (s *SignIns) Find(ctx context.Context, secret string) (in *SignIn, err error) {
	if len(secret) > maxToken {
		return nil, ErrNoSignIn
	}
	err = soon(ctx, func(ctx context.Context) error {
		in, err = s.find(ctx, secret)
		return err
	})
	return in, err
}

func (s *SignIns) find(ctx context.Context, secret string) (*SignIn, error) {
	in := &SignIn{hash: sha256.Sum256([]byte(secret)), sealer: sealerOf(secret)}
	var id uuid.UUID
	var expires, seen time.Time
	var ended, wroteAt *time.Time
	var wrote *int64
	var notice []byte
	err := s.pool.QueryRow(ctx, `select token, expires_at, seen_at, ended_at, wrote, wrote_at, notice from sign_ins where hash = $1`, in.hash[:]).
		Scan(&id, &expires, &seen, &ended, &wrote, &wroteAt, &notice)
	now := s.now()
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && ended != nil:
		return nil, ErrNoSignIn
	case err != nil:
		return nil, fmt.Errorf("access: sign-in: %w", err)
	case !now.Before(expires):
		return nil, ErrSignInOver
	case now.Sub(seen) >= SignInIdle:
		return nil, ErrSignInIdle
	}
	token, err := counting(ctx, s.pool, id, now)
	if errors.Is(err, ErrUnknown) {
		return nil, ErrSignInRevoked
	}
	if err != nil {
		return nil, err
	}
	in.Principal = token.principal()
	if wroteAt != nil && now.Sub(*wroteAt) < wroteFor {
		in.Wrote = *wrote
	}
	in.Notice, _ = in.sealer.open("notice", notice) // one that cannot be opened is not ours
	if now.Sub(seen) >= time.Minute {
		if _, err := s.pool.Exec(ctx, `update sign_ins set seen_at = $2 where hash = $1 and seen_at < $2`, in.hash[:], now); err != nil {
			return nil, fmt.Errorf("access: sign-in: %w", err)
		}
	}
	return in, nil
}

// counting returns a token if it counts now. ErrUnknown.
func counting(ctx context.Context, db database, id uuid.UUID, now time.Time) (Token, error) {
	token, _, err := scan(db.QueryRow(ctx, `select `+columns+` from tokens
		where id = $1 and revoked_at is null and (expires_at is null or expires_at > $2)`, id, now))
	if errors.Is(err, pgx.ErrNoRows) {
		return Token{}, ErrUnknown
	}
	if err != nil {
		return Token{}, fmt.Errorf("access: token: %w", err)
	}
	return token, nil
}

// Close signs out. A sign-in that does not count any more is no error.
func (s *SignIns) Close(ctx context.Context, secret string) error {
	hash := sha256.Sum256([]byte(secret))
	if _, err := s.pool.Exec(ctx, `update sign_ins set ended_at = coalesce(ended_at, $2), notice = null, account = null where hash = $1`, hash[:], s.now()); err != nil {
		return fmt.Errorf("access: sign out: %w", err)
	}
	return nil
}

// Tell keeps what the next page is to tell, and the position of the write that it is to show; nil and 0 leave what is there.
func (s *SignIns) Tell(ctx context.Context, in *SignIn, notice []byte, wrote int64) error {
	var sealed []byte
	if notice != nil {
		sealed = in.sealer.seal("notice", notice)
	}
	_, err := s.pool.Exec(ctx, `update sign_ins set notice = coalesce($2, notice), wrote = coalesce(nullif($3, 0), wrote),
		wrote_at = case when $3 = 0 then wrote_at else $4 end where hash = $1`, in.hash[:], sealed, wrote, s.now())
	if err != nil {
		return fmt.Errorf("access: notice: %w", err)
	}
	return nil
}

// Told forgets what the next page was to tell, and reports whether this call did it: of two pages at the same moment, one tells it.
func (s *SignIns) Told(ctx context.Context, in *SignIn) (bool, error) {
	tag, err := s.pool.Exec(ctx, `update sign_ins set notice = null where hash = $1 and notice is not null`, in.hash[:])
	if err != nil {
		return false, fmt.Errorf("access: notice: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}

// Forget deletes what ended more than a day ago: until then people are told why they have to sign in again.
func (s *SignIns) Forget(ctx context.Context) error {
	for _, table := range []string{"sign_ins", "sign_in_links"} {
		if _, err := s.pool.Exec(ctx, `delete from `+table+` where expires_at < $1`, s.now().Add(-24*time.Hour)); err != nil {
			return fmt.Errorf("access: forget sign-ins: %w", err)
		}
	}
	return nil
}
