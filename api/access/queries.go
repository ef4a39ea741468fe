package access

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Names and numbers that people look for must not stand in addresses, where browsers, proxies and logs keep them. A page keeps them here
// instead and puts an id into its address. They are sealed with a key made from the cookie's secret, of which the database has only the
// hash: whoever reads the tables, or a dump, finds nothing, and the id is of no use to another sign-in. They are kept in Postgres because the next
// page may come from another process, and as long as the sign-in is, so that going back works all day.

// keptQueries is how many queries a sign-in may have; the oldest goes first.
const keptQueries = 500

// ErrNoQuery says that the sign-in has no query of that id, or none any more.
var ErrNoQuery = errors.New("access: there is no such query")

// SaveQuery keeps what is looked for and returns the id by which the sign-in finds it.
func (s *SignIns) SaveQuery(ctx context.Context, in *SignIn, query []byte) (id string, err error) {
	var random [9]byte
	rand.Read(random[:])
	id = base64.RawURLEncoding.EncodeToString(random[:])
	_, err = s.pool.Exec(ctx, `with old as (delete from sign_in_queries where sign_in = $1 and id in
			(select id from sign_in_queries where sign_in = $1 order by created_at desc offset $5))
		insert into sign_in_queries (sign_in, id, sealed, created_at) values ($1, $2, $3, $4)`,
		in.hash[:], id, in.sealer.seal("query "+id, query), s.now(), keptQueries-1)
	if err != nil {
		return "", fmt.Errorf("access: save query: %w", err)
	}
	return id, nil
}

// Query returns what the sign-in keeps under an id. ErrNoQuery.
func (s *SignIns) Query(ctx context.Context, in *SignIn, id string) ([]byte, error) {
	var sealed []byte
	err := s.pool.QueryRow(ctx, `select sealed from sign_in_queries where sign_in = $1 and id = $2`, in.hash[:], id).Scan(&sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoQuery
	}
	if err != nil {
		return nil, fmt.Errorf("access: query: %w", err)
	}
	query, ok := in.sealer.open("query "+id, sealed)
	if !ok {
		return nil, ErrNoQuery
	}
	return query, nil
}

// sealer seals what a sign-in keeps.
type sealer struct{ aead cipher.AEAD }

func sealerOf(secret string) sealer {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("access: what a sign-in keeps"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return sealer{aead}
}

func (s sealer) seal(purpose string, plain []byte) []byte {
	return s.aead.Seal(nil, nil, plain, []byte(purpose))
}

func (s sealer) open(purpose string, sealed []byte) ([]byte, bool) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(purpose))
	return plain, err == nil
}
