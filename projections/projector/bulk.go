package projector

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Bounds of a rebuild.
const (
	bulkRead  = 4_000  // events read and decoded at once
	bulkDirty = 60_000 // rows in memory at which they are written
)

// EnsureBuilt builds what this binary's versions lack, so that they can be served: it folds the whole log into tables of their own
// and makes them the live ones. Two processes that do so at once: one works, the other waits. What a killed process left is gone on with.
//
// progress, if not nil, is called now and then with the events folded and to fold, over all projections and tenants. ErrDefinition.
func (p *Projector) EnsureBuilt(ctx context.Context, progress func(done, total int64)) error {
	for i := range p.config.Definitions {
		if err := p.ensure(ctx, &p.config.Definitions[i], progress); err != nil {
			return err
		}
	}
	return nil
}

func (p *Projector) ensure(ctx context.Context, def *Definition, progress func(done, total int64)) error {
	if ok, err := p.isLive(ctx, def); ok || err != nil {
		return err
	}
	return p.exclusive(ctx, def, func() error {
		if ok, err := p.isLive(ctx, def); ok || err != nil {
			return err
		}
		builds, err := p.queryBuilds(ctx, `name = $1 and version = $2 and status = 'building' and not verifying and fingerprint = $3`, def.Name, def.Version, def.fingerprint())
		if err != nil {
			return err
		}
		var b Build
		if len(builds) > 0 {
			b = builds[0] // left by a process that ended in the middle
		} else if b, err = p.create(ctx, def, StatusBuilding); err != nil {
			return err
		}
		if err := p.fill(ctx, def, b, progress); err != nil {
			return err
		}
		if _, err = p.finish(ctx, def, b); err == nil {
			_, err = p.isLive(ctx, def)
		}
		return err
	})
}

// isLive reports whether the version has a live build, notes that it is fed, and refuses one with other tables.
func (p *Projector) isLive(ctx context.Context, def *Definition) (bool, error) {
	var same bool
	err := p.pool.QueryRow(ctx, `update projection_live l set fed_at = now() from projection_builds b
		where b.id = l.build and l.name = $1 and l.version = $2 returning b.fingerprint = $3`, def.Name, def.Version, def.fingerprint()).Scan(&same)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("projector: builds: %w", err)
	case !same:
		return false, fmt.Errorf("%w: %s version %d", ErrDefinition, def.Name, def.Version)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found[def.Name] = true
	return true, nil
}

// exclusive runs work while no other process builds or switches this version.
func (p *Projector) exclusive(ctx context.Context, def *Definition, work func() error) error {
	return locked(ctx, p.pool, buildLock(def.Name, def.Version), `select pg_advisory_lock($1) is not null`, nil, work)
}

func buildLock(name string, version int) string {
	return fmt.Sprintf("projector/build/%s/%d", name, version)
}

// locked runs work while this process has a lock over all processes. lock takes it, or answers false when somebody else has it:
// then busy is returned. A process that dies has no lock any more.
func locked(ctx context.Context, pool *pgxpool.Pool, name, lock string, busy error, work func() error) error {
	h := fnv.New64a()
	h.Write([]byte(name))
	key := int64(h.Sum64())
	return pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		var mine bool
		if err := c.QueryRow(ctx, lock, key).Scan(&mine); err != nil {
			return fmt.Errorf("projector: lock: %w", err)
		}
		if !mine {
			return busy
		}
		err := work()
		if _, unlock := c.Exec(context.WithoutCancel(ctx), `select pg_advisory_unlock($1)`, key); unlock != nil {
			c.Conn().Close(context.WithoutCancel(ctx)) // the lock ends with its connection
		}
		return err
	})
}

// fill folds the logs of all tenants into a build until it has caught up.
func (p *Projector) fill(ctx context.Context, def *Definition, b Build, progress func(done, total int64)) error {
	report := newReport(progress)
	last := map[string]int64{}
	for again := true; again; {
		heads, err := p.logHeads(ctx)
		if err != nil {
			return err
		}
		again = false
		var tenants []string
		for tenant, head := range heads {
			at, err := p.checkpoint(ctx, b, tenant)
			if err != nil {
				return err
			}
			report.set(tenant, at, head)
			if at < head {
				tenants = append(tenants, tenant)
			}
			// What is less is left to feeding as it happens; who does not move is stopped.
			before, seen := last[tenant]
			again = again || head-at > bulkRead && !(seen && before == at)
			last[tenant] = at
		}
		slices.Sort(tenants)
		if err := p.fillAll(ctx, def, b, tenants, heads, report); err != nil {
			return err
		}
	}
	return nil
}

// fillAll folds some tenants' logs, two at a time: while one waits for the database, the other folds.
func (p *Projector) fillAll(ctx context.Context, def *Definition, b Build, tenants []string, heads map[string]int64, report *report) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan string)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for tenant := range queue {
				f := p.newFeeder(def, b, tenant)
				f.keep = keepBulk
				f.committed = func(tenant string, position int64) { report.set(tenant, position, heads[tenant]) }
				f.folded = f.committed
				err := f.catchUp(ctx, heads[tenant])
				if err == nil {
					err = f.tendAll(ctx)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, tenant := range tenants {
		queue <- tenant
	}
	close(queue)
	wait.Wait()
	return context.Cause(ctx)
}

// catchUp folds the log up to exactly a position in large steps. Reading and decoding run ahead of folding.
//
// When the database refuses rows, or at an event that cannot be applied and concerns no customer, what is not yet written is folded
// again in small steps, as when feeding. Such an event ends it without an error: the build shows where it stands.
func (f *feeder) catchUp(ctx context.Context, until int64) error {
	if err := f.open(ctx); err != nil {
		return err
	}
	careful := int64(0) // up to here in small steps
	for f.position < until {
		f.bulk = f.position >= careful
		var err error
		if f.bulk {
			careful = until
			if err = f.sweepUp(ctx, until, &careful); err == nil {
				return nil
			}
			if refused(err) == "" {
				return err
			}
			f.forget()
			continue
		}
		s, err := f.read(ctx, f.position, int(min(careful-f.position, 500)))
		if err == nil {
			err = f.apply(ctx, s)
		}
		var stopped *stoppedError
		if errors.As(err, &stopped) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	f.bulk = false
	return nil
}

// sweepUp folds up to a position and writes when there is much to write, and at the end. reached is set to what was folded when an
// error ends it.
func (f *feeder) sweepUp(ctx context.Context, until int64, reached *int64) error {
	ctx, cancel := context.WithCancel(ctx)
	stretches := make(chan stretch, 2)
	var readErr error
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(stretches)
		for at := f.position; at < until; {
			s, err := f.read(ctx, at, int(min(until-at, bulkRead)))
			if err == nil && s.to == at {
				err = fmt.Errorf("projector: the log of a tenant ends at %d, before %d", at, until)
			}
			if err != nil {
				readErr = err
				return
			}
			at = s.to
			select {
			case stretches <- s:
			case <-ctx.Done():
				readErr = ctx.Err()
				return
			}
		}
	})
	defer wait.Wait()
	defer cancel()
	for s := range stretches {
		if s.anew {
			if err := f.flush(ctx, ""); err != nil {
				return err
			}
			if err := f.pass(ctx, &s.events[0]); err != nil {
				return err
			}
			*reached = s.to
			continue
		}
		stop, err := f.foldIn(ctx, s)
		*reached = s.to
		if err != nil {
			return err
		}
		f.folded(f.tenant, s.to)
		if f.dirty() > bulkDirty || stop != "" || s.to == until {
			if err := f.flush(ctx, stop); err != nil {
				return err
			}
		}
		if stop != "" {
			return nil
		}
	}
	return readErr
}

func (f *feeder) dirty() (n int) {
	for _, t := range f.tables {
		_, changed := t.size()
		n += changed
	}
	return n
}

// report adds up the progress of all tenants.
type report struct {
	mu          sync.Mutex
	tell        func(done, total int64)
	done, total map[string]int64
}

func newReport(tell func(done, total int64)) *report {
	return &report{tell: tell, done: map[string]int64{}, total: map[string]int64{}}
}

func (r *report) set(tenant string, done, total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[tenant], r.total[tenant] = done, total
	if r.tell == nil {
		return
	}
	var d, t int64
	for tenant, done := range r.done {
		d, t = d+done, t+r.total[tenant]
	}
	r.tell(d, t)
}
