package asof

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"customercenter/eventstore/lease"
	"customercenter/projections/projector"
)

// This file builds schemas, one after the other, and removes them.

const (
	lookEvery  = 200 * time.Millisecond // for what other processes ask for
	sweepEvery = 2 * time.Second
	noteEvery  = time.Second        // how far a build is, and how large
	leftAfter  = 10 * time.Minute   // without a note, whoever built is gone
	failedKept = 7 * 24 * time.Hour // jobs that failed
)

// Run builds and removes schemas, if no other process does, until the context ends. If a process dies in the middle of a build, the next one drops
// what it left and begins it anew.
func (s *Schemas) Run(ctx context.Context) error {
	// Programs with other tables build their own.
	return lease.Group{Pool: s.pool, Name: "as of " + s.all, Partitions: 1, Run: func(ctx context.Context, _ int) error {
		err := s.work(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("asof: schemas cannot be worked on", "error", err)
		}
		return err
	}}.Loop(ctx)
}

func (s *Schemas) work(ctx context.Context) error {
	if err := s.begunByOthers(ctx); err != nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	var sweeping sync.WaitGroup
	defer sweeping.Wait()
	defer end()
	sweeping.Go(func() { s.sweepOn(ctx) })
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		built, err := s.buildNext(ctx)
		if err != nil {
			return err
		}
		if built {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-tick.C:
		}
	}
}

// sweepOn sweeps until the context ends, also while something is built, which may take long: what leaves is to make room meanwhile.
func (s *Schemas) sweepOn(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Warn("asof: schemas cannot be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// mine are the fingerprints of what this program builds.
func (s *Schemas) mine() []string { return []string{s.shared, s.all} }

// begunByOthers takes back what a process has begun to build that does not any more: this one has the lease.
func (s *Schemas) begunByOthers(ctx context.Context) error {
	begun, err := s.query(ctx, `select `+columns+` from as_of_schemas where state = 'building' and definitions = any($1)`, s.mine())
	if err != nil {
		return err
	}
	for _, b := range begun {
		if err := s.Projector.DropAsOf(ctx, b.Name); err != nil {
			return err
		}
		if _, err := s.pool.Exec(ctx, `update as_of_schemas set state = 'queued', done = 0, bytes = 0, changed_at = now() where id = $1 and state = 'building'`, b.ID); err != nil {
			return fmt.Errorf("asof: %w", err)
		}
	}
	return nil
}

// buildNext builds the schema that has waited for the longest time, and reports whether there was one.
func (s *Schemas) buildNext(ctx context.Context) (bool, error) {
	next, found, err := s.one(ctx, `update as_of_schemas set state = 'building', changed_at = clock_timestamp(), noted_at = clock_timestamp()
		where id = (select id from as_of_schemas where state = 'queued' and definitions = any($1) order by created_at, id limit 1) and state = 'queued'
		returning `+columns, s.mine())
	if err != nil || !found {
		return false, err
	}
	began := time.Now()
	err = s.build(ctx, &next)
	if ctx.Err() != nil {
		return false, nil // begun anew by whoever is next
	}
	log := s.Log.With("tenant", next.Tenant, "position", next.Position, "schema", next.Name)
	if err == nil {
		log.Info("asof: a schema is ready", "seconds", time.Since(began).Seconds(), "bytes", next.Bytes)
		return true, nil
	}
	log.Error("asof: a schema could not be built", "error", err)
	return true, s.giveUp(ctx, &next, err)
}

var (
	// errTooLarge says that there is no room for a schema.
	errTooLarge = errors.New("asof: there is no room for it")
	// errGone says that somebody has dropped a schema while it was built, or has begun it anew.
	errGone = errors.New("asof: it is wanted no more")
)

// build fills a schema, and lets it be asked.
func (s *Schemas) build(ctx context.Context, b *Schema) error {
	within, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var done atomic.Int64
	noted := make(chan struct{})
	go func() {
		defer close(noted)
		tick := time.NewTicker(noteEvery)
		defer tick.Stop()
		for {
			select {
			case <-within.Done():
				return
			case <-tick.C:
			}
			if err := s.note(within, b, done.Load()); err != nil {
				stop(err)
				return
			}
		}
	}()
	err := s.Projector.BuildAsOf(within, b.Name, b.Tenant, b.Moment(), b.models, func(folded, _ int64) { done.Store(folded) })
	if within.Err() != nil {
		err = context.Cause(within)
	}
	stop(nil)
	<-noted
	if err == nil {
		err = s.note(ctx, b, b.Total)
	}
	if err != nil {
		return err
	}
	tag, err := s.pool.Exec(ctx, `update as_of_schemas set state = 'ready', asked_at = now(), changed_at = now() where id = $1 and state = 'building' and changed_at = $2`,
		b.ID, b.ChangedAt)
	if err == nil && tag.RowsAffected() == 0 {
		err = errGone
	}
	return err
}

// note writes down how far a build is and how large it is, and makes room for it. errTooLarge, errGone.
func (s *Schemas) note(ctx context.Context, b *Schema, done int64) error {
	if err := s.pool.QueryRow(ctx, `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = $1 and c.relkind = 'r'`, b.Name).Scan(&b.Bytes); err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	tag, err := s.pool.Exec(ctx, `update as_of_schemas set done = $3, bytes = $4, noted_at = now() where id = $1 and state = 'building' and changed_at = $2`, b.ID, b.ChangedAt, done, b.Bytes)
	if err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errGone
	}
	return s.makeRoom(ctx)
}

// makeRoom has shared schemas leave that were not asked for the longest time, until all others have room. errTooLarge.
func (s *Schemas) makeRoom(ctx context.Context) error {
	for {
		var taken int64
		if err := s.pool.QueryRow(ctx, `select coalesce(sum(bytes), 0)::bigint from as_of_schemas where state in ('building', 'ready')`).Scan(&taken); err != nil {
			return fmt.Errorf("asof: %w", err)
		}
		if taken <= s.Room {
			return nil
		}
		tag, err := s.pool.Exec(ctx, `update as_of_schemas set state = 'leaving', changed_at = now()
			where id = (select id from as_of_schemas where state = 'ready' and ends_at is null order by asked_at, id limit 1)`)
		if err != nil {
			return fmt.Errorf("asof: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errTooLarge
		}
	}
}

// giveUp drops what was built of a schema, and says why.
func (s *Schemas) giveUp(ctx context.Context, b *Schema, why error) error {
	if err := s.Projector.DropAsOf(ctx, b.Name); err != nil {
		return err
	}
	code := CodeFailed
	switch {
	case errors.Is(why, errTooLarge):
		code = CodeTooLarge
	case errors.Is(why, projector.ErrStopped):
		code = CodeStopped
	}
	_, err := s.pool.Exec(ctx, `update as_of_schemas set state = 'failed', code = $3, bytes = 0, changed_at = now() where id = $1 and state = 'building' and changed_at = $2`,
		b.ID, b.ChangedAt, code)
	if err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	return nil
}

// Sweep has schemas leave that were not asked for the time of Keep, built or not, or whose time is over, and those that a program of other versions, which is
// gone, has left half built; and drops those that have left. Several may sweep at once.
func (s *Schemas) Sweep(ctx context.Context) error {
	if _, err := s.pool.Exec(ctx, `update as_of_schemas set state = 'leaving', changed_at = now()
		where state in ('queued', 'ready') and coalesce(ends_at < now(), asked_at < now() - $1::interval)
		or state = 'building' and not definitions = any($2) and noted_at < now() - $3::interval`, s.Keep, s.mine(), leftAfter); err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	if _, err := s.pool.Exec(ctx, `delete from as_of_schemas where state = 'failed' and changed_at < now() - $1::interval`, failedKept); err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	left, err := s.query(ctx, `select `+columns+` from as_of_schemas where state = 'leaving' and changed_at < now() - $1::interval`, s.Grace)
	for _, l := range left {
		err = errors.Join(err, s.remove(ctx, &l))
	}
	return err
}
