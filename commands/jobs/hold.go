package jobs

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"customercenter/eventstore"
)

// hold is that nobody else works on a job: a lock of the database on a connection of its own. What is written through that connection is
// written while the lock is held. So a process that was frozen, and whose job another one has begun anew meanwhile, does the other's work
// no harm: its connection has ended.
type hold struct {
	mu   sync.Mutex
	conn *pgx.Conn
}

// freeze is after how long without a word from us the server ends the connection: of a process that is frozen, or cut off. That of one that is dead has
// ended at once.
const freeze = time.Minute

// take takes hold of a job; nil if somebody else has.
func take(ctx context.Context, store *eventstore.Store, id uuid.UUID) (*hold, error) {
	config := store.Pool().Config().ConnConfig.Copy()
	config.RuntimeParams["application_name"] = "customercenter job"
	config.RuntimeParams["idle_session_timeout"] = fmt.Sprint(freeze.Milliseconds())
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("jobs: hold: %w", err)
	}
	h := &hold{conn: conn}
	var free bool
	err = conn.QueryRow(ctx, `select pg_try_advisory_lock($1)`, int64(binary.BigEndian.Uint64(id[8:]))).Scan(&free) // that half of an id is chance
	switch {
	case err != nil:
		h.release()
		return nil, fmt.Errorf("jobs: hold: %w", err)
	case !free:
		h.release()
		return nil, nil
	}
	return h, nil
}

// release ends the hold.
func (h *hold) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), freeze/4)
	defer cancel()
	_, _ = h.conn.Exec(ctx, `select pg_advisory_unlock_all()`) // what fails here happens with the end of the connection
	_ = h.conn.Close(ctx)
}

// Exec is for one goroutine after the other.
func (h *hold) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conn.Exec(ctx, sql, args...)
}

// alive lets the server hear of us, unless it does at the moment in any case.
func (h *hold) alive(ctx context.Context) error {
	if !h.mu.TryLock() {
		return nil
	}
	defer h.mu.Unlock()
	if err := h.conn.Ping(ctx); err != nil {
		return fmt.Errorf("jobs: hold: %w", err)
	}
	return nil
}
