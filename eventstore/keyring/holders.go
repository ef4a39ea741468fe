package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/eventstore/tenancy"
)

// A process that has an older master key only must not be there when a newer one begins to wrap. So processes say which ones they have while they run, and a
// rotation does not begin before all have the new one; whoever comes later without it is not let in.

const (
	// seenEvery is how often a process says that it is there.
	seenEvery = 10 * time.Second
	// gone is how long after that it is not counted any more.
	gone = time.Minute
)

// Holder is a process and the master keys that it has.
type Holder struct {
	Name    string    `json:"name"` // machine and number
	Holds   []string  `json:"holds"`
	Started time.Time `json:"started_at"`
	Seen    time.Time `json:"seen_at"`
}

// HoldersError says that processes run which do not have a master key. Nothing was changed.
type HoldersError struct {
	ID      string
	Without []Holder
}

func (e *HoldersError) Error() string {
	var names []string
	for _, h := range e.Without {
		names = append(names, fmt.Sprintf("%s (running since %s)", h.Name, h.Started.UTC().Format(time.DateTime)))
	}
	return fmt.Sprintf("keyring: the master key %s is not known to %s", e.ID, strings.Join(names, ", "))
}

// Attendance is the time for which a process has said that it has its master keys.
type Attendance struct {
	lost chan struct{}
	end  context.CancelFunc
	done sync.WaitGroup
}

// Attend does what Check does, and says from then on which master keys this process has, until Leave. The name is shown to people.
func (r *Keyring) Attend(ctx context.Context, name string) (*Attendance, error) {
	process := uuid.New()
	err := r.change(ctx, func(tx pgx.Tx) error {
		if err := r.check(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from master_key_holders where seen_at < clock_timestamp() - interval '1 day'`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, seen, process, name, r.master.order)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(tenancy.Widen(context.WithoutCancel(ctx)))
	a := &Attendance{lost: make(chan struct{}), end: end}
	a.done.Go(func() { r.attend(ctx, a, process, name) })
	return a, nil
}

const seen = `insert into master_key_holders (process, name, holds) values ($1, $2, $3) on conflict (process) do update set seen_at = clock_timestamp()`

// attend says again and again that the process is there. One that could not for long may have been passed over.
func (r *Keyring) attend(ctx context.Context, a *Attendance, process uuid.UUID, name string) {
	tick := time.NewTicker(seenEvery)
	defer tick.Stop()
	for told := false; ; {
		select {
		case <-ctx.Done():
			leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if _, err := r.db.Exec(leaving, `delete from master_key_holders where process = $1`, process); err != nil {
				slog.WarnContext(leaving, "keyring: it cannot be said that this process ends", "error", err)
			}
			return
		case <-tick.C:
		}
		err := r.seen(ctx, process, name)
		switch {
		case err == nil || ctx.Err() != nil || told:
		case errors.Is(err, ErrMaster):
			told = true
			close(a.lost)
		default:
			slog.WarnContext(ctx, "keyring: it cannot be said that this process is there", "error", err)
		}
	}
}

// seen says that the process is there, and learns which master key wraps.
func (r *Keyring) seen(ctx context.Context, process uuid.UUID, name string) error {
	ctx, cancel := context.WithTimeout(ctx, seenEvery)
	defer cancel()
	if _, err := r.db.Exec(ctx, seen, process, name, r.master.order); err != nil {
		return fmt.Errorf("keyring: holders: %w", err)
	}
	return r.Learn(ctx)
}

// Lost is closed when a master key wraps that this process does not have: it can read less and less, and has to end. That happens only to
// a process that could not reach the database for a minute while the master key was replaced.
func (a *Attendance) Lost() <-chan struct{} { return a.lost }

// Leave says that the process ends.
func (a *Attendance) Leave() {
	a.end()
	a.done.Wait()
}

// Holders are the processes that are there, and the master keys that each has, by name.
func (r *Keyring) Holders(ctx context.Context) ([]Holder, error) {
	ctx = tenancy.Widen(ctx)
	rows, err := r.db.Query(ctx, `select name, holds, started_at, seen_at from master_key_holders where seen_at > clock_timestamp() - $1::interval order by name, started_at`, gone)
	if err != nil {
		return nil, fmt.Errorf("keyring: holders: %w", err)
	}
	holders, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Holder])
	if err != nil {
		return nil, fmt.Errorf("keyring: holders: %w", err)
	}
	return holders, nil
}
