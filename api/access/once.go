package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Once identifies a request that is carried out once however often it is sent.
type Once struct {
	Tenant string // empty for an operator
	Actor  string // kind and id of whose request it is
	Route  string // for example "POST /v1/tokens"
	Key    string // the request's own id
	Body   []byte // a hash of the request
	Keep   time.Duration
}

// Answers remembers the answers to writes that are in no log, so that a repeated request gets the first answer.
type Answers struct {
	pool *pgxpool.Pool
	now  func() time.Time
}

// NewAnswers returns the answers of a migrated database.
func NewAnswers(pool *pgxpool.Pool, now func() time.Time) *Answers {
	return &Answers{pool: pool, now: now}
}

// Do carries out a request, or returns the first answer if it was carried out before. A nil once carries it out always.
// The answer holds ids and codes only. If do fails, nothing is remembered.
//
// do must bear being carried out twice: two of the same request that arrive at the same moment may both run, as may a
// request and its repetition if the process dies in between. Both get the same answer. Error: ErrReused.
func (a *Answers) Do(ctx context.Context, once *Once, do func(ctx context.Context) (answer string, err error)) (answer string, repeated bool, err error) {
	if once == nil {
		answer, err = do(ctx)
		return answer, false, err
	}
	if answer, found, err := find(ctx, a.pool, once, a.now()); err != nil || found {
		return answer, found, err
	}
	if answer, err = do(ctx); err != nil {
		if first, found, err := find(ctx, a.pool, once, a.now()); err == nil && found {
			return first, true, nil
		}
		return "", false, err
	}
	kept, err := keep(ctx, a.pool, once, a.now(), answer)
	if err != nil {
		return "", false, err
	}
	if !kept {
		return find(ctx, a.pool, once, a.now())
	}
	return answer, false, nil
}

// database is a pool or a transaction.
type database interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// find returns the answer to a request that was carried out before.
func find(ctx context.Context, db database, once *Once, now time.Time) (answer string, found bool, err error) {
	var body []byte
	err = db.QueryRow(ctx, `select body, answer from answers where tenant = $1 and actor = $2 and route = $3 and key = $4 and expires_at >= $5`,
		once.Tenant, once.Actor, once.Route, once.Key, now).Scan(&body, &answer)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("access: answer: %w", err)
	}
	if !bytes.Equal(body, once.Body) {
		return "", false, ErrReused
	}
	return answer, true, nil
}

// keep stores an answer unless there is one, and reports whether it did. It also forgets some that have expired.
func keep(ctx context.Context, db database, once *Once, now time.Time, answer string) (bool, error) {
	_, err := db.Exec(ctx, `delete from answers where expires_at < $1 and ((tenant, actor, route, key) = ($2, $3, $4, $5)
		or ctid = any(array(select ctid from answers where expires_at < $1 order by expires_at limit 100 for update skip locked)))`,
		now, once.Tenant, once.Actor, once.Route, once.Key)
	if err != nil {
		return false, fmt.Errorf("access: forget answers: %w", err)
	}
	tag, err := db.Exec(ctx, `insert into answers (tenant, actor, route, key, body, answer, expires_at) values ($1, $2, $3, $4, $5, $6, $7)
		on conflict do nothing`, once.Tenant, once.Actor, once.Route, once.Key, once.Body, answer, now.Add(once.Keep))
	if err != nil {
		return false, fmt.Errorf("access: answer: %w", err)
	}
	return tag.RowsAffected() == 1, nil
}
