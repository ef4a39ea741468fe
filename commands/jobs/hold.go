package jobs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// hold is that nobody else works on a job: a lock of the database on a connection of its own. What is written through that connection is
// written while the lock is held. So a process that was frozen, and whose job another one has begun anew meanwhile, does the other's work
// no harm: its connection has ended.
type hold struct {
	mu   sync.Mutex
	conn *pgx.Conn
}

// freeze, of a Runner that is told nothing else, is after how long without a word from us the server ends the connection: of a process that is frozen, or cut off. That of one that is dead has
// ended at once.
const freeze = time.Minute

// beat is how often whoever holds a job for long lets the server hear of it; every second time it is asked whether anybody waits for it still.
const beat = 500 * time.Millisecond

// errUnwanted ends what nobody waits for any more.
var errUnwanted = errors.New("jobs: nobody waits for it any more")

// take takes hold of a job; nil if somebody else has.
func (r *Runner) take(ctx context.Context, id uuid.UUID) (*hold, error) {
	config := r.store.Pool().Config().ConnConfig.Copy()
	config.RuntimeParams["application_name"] = "customercenter job"
	config.RuntimeParams["idle_session_timeout"] = fmt.Sprint(r.freeze.Milliseconds())
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

// keep writes a part of what the job keeps, unless the work on it has been given up. It is not interrupted: the server would go on with it, and be done when
// all parts have been dropped.
func (h *hold) keep(ctx context.Context, tenant string, id uuid.UUID, part int, content []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), freeze)
	defer done()
	return putPart(ctx, h, tenant, id, part, content)
}

// watched returns a context that ends as soon as nobody waits for the work any more, with errUnwanted, or the job is held no longer. Meanwhile it keeps hold
// of the job, however long nothing is written, and calls tell as often, which may be nil. stop waits for the end of that.
func (h *hold) watched(ctx context.Context, tell func(context.Context) error, wanted func(context.Context) (bool, error)) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	living := func() error {
		// Not interrupted, as that would end the connection and with it the hold.
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), freeze/2)
		defer done()
		err := h.alive(ctx)
		if tell != nil {
			err = errors.Join(err, tell(ctx))
		}
		return err
	}
	ending := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		beats := time.NewTicker(beat)
		defer beats.Stop()
		for n := 0; ; n++ {
			if err := living(); err != nil {
				cancel(err)
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-ending:
				return
			case <-beats.C:
			}
			if n%2 == 0 {
				continue
			}
			// That it cannot be asked now is no reason to stop.
			if is, err := wanted(ctx); err == nil && !is {
				cancel(errUnwanted)
				return
			}
		}
	})
	return ctx, func() {
		close(ending)
		watching.Wait()
		cancel(nil)
	}
}
