// Package lease spreads numbered partitions of work over processes, so that each partition runs in one of them.
//
// It needs nothing but Postgres: every process holds one connection of its own per group, and the locks on it are the leases.
// There is no table, no heartbeat and no clock to agree on. When a process dies its connection ends and its partitions are taken
// within a tick (Every); when it freezes, or its network goes, the server ends the session after Freeze.
//
// What is not guaranteed: a process that was frozen and wakes up may go on with its partition for an instant before it finds out
// that it has lost it. So what Run does must be fenced where it writes, as the projector's checkpoint and the relay's expected
// sequence are. A lease saves doing work twice; it does not make it safe.
//
// Session locks do not survive a connection pooler in transaction mode: connect to Postgres itself.
package lease

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Defaults of a group.
const (
	DefaultEvery  = 100 * time.Millisecond
	DefaultFreeze = 3 * time.Second
)

// Group is one kind of work, cut into partitions.
type Group struct {
	// Pool says where Postgres is. The group opens a connection of its own, beside the pool.
	Pool *pgxpool.Pool
	// Name tells groups of one database apart, for example "projector". Processes of one name must agree on Partitions.
	Name string
	// Partitions are numbered from 0.
	Partitions int
	// Every is how often a process looks for partitions without an owner; default DefaultEvery.
	Every time.Duration
	// Freeze is after how long of silence a process loses its partitions; default DefaultFreeze, at least 4 times Every.
	Freeze time.Duration
	// Clocks is how far the clock of this process may be from the database's for it to take part; 0: as far as it likes. Work for which clocks matter goes to
	// another process, then, instead of waiting for this one's clock.
	Clocks time.Duration
	// Run works on a partition until ctx ends, which it must obey soon: the partition goes to nobody else before. When it returns
	// earlier, with an error or without, or panics, it is called again after a pause; the lease is kept meanwhile.
	Run func(ctx context.Context, partition int) error
}

// Loop takes part in the group until ctx ends, through lost connections and restarts of the database. It returns when every Run
// has ended and the leases are given back. The error is nil then; any other error says that the group is described wrongly.
func (g Group) Loop(ctx context.Context) error {
	if g.Every == 0 {
		g.Every = DefaultEvery
	}
	if g.Freeze == 0 {
		g.Freeze = DefaultFreeze
	}
	if g.Pool == nil || g.Name == "" || g.Partitions < 1 || g.Run == nil || g.Every < 0 || g.Freeze < 4*g.Every || g.Clocks < 0 {
		return errors.New("lease: a group needs a pool, a name, partitions, something to run, and Freeze at least 4 times Every")
	}
	var told time.Time
	for pause := g.Every; ctx.Err() == nil; {
		began := time.Now()
		err := g.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > 10*time.Second {
			pause = g.Every
		}
		if time.Since(told) > complainEvery {
			told = time.Now()
			slog.WarnContext(ctx, "lease: lost, trying again", "group", g.Name, "pause", pause, "error", err)
		}
		wait(ctx, pause)
		pause = min(2*pause, time.Second)
	}
	return nil
}

// complainEvery keeps a long outage, or a clock that stays wrong, from filling the disk with complaints.
const complainEvery = 30 * time.Second

// wait pauses, no longer than ctx lives.
func wait(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// Members counts the processes that take part in a group at this moment.
func Members(ctx context.Context, pool *pgxpool.Pool, name string) (int, error) {
	var members int
	err := pool.QueryRow(ctx, `select count(*) from pg_locks where locktype = 'advisory' and objsubid = 2 and granted
		and database = (select oid from pg_database where datname = current_database()) and classid = $1`, memberClass(name)).Scan(&members)
	if err != nil {
		return 0, fmt.Errorf("lease: members: %w", err)
	}
	return members, nil
}

// Advisory locks with two keys (objsubid 2): a class for the partitions of a group and one for its members.

func partitionClass(name string) uint32 { return crc32.ChecksumIEEE([]byte("lease/" + name)) }
func memberClass(name string) uint32    { return crc32.ChecksumIEEE([]byte("lease members/" + name)) }
