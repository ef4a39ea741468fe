package projector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/field"
	"customercenter/domain/group"
	"customercenter/domain/settings"
	"customercenter/domain/tag"
)

// Moment is a point of a tenant's history: the log up to and including the position, and the clock at the end of the instant, when all that fell due
// until then has been done. Whatever tells of the past means that by it.
type Moment struct {
	Position int64     `json:"position"`
	At       time.Time `json:"at"`
}

var (
	// ErrNotYet says that a moment has not come.
	ErrNotYet = errors.New("projector: the moment has not come yet")
	// ErrNoMoment says that a text names no moment.
	ErrNoMoment = errors.New("projector: neither a time nor a position of the log")
)

// MomentOf is the moment that a text names: a time such as 2026-11-03T09:30:00Z, see MomentAt, or a position of the log, see MomentAfter.
// ErrNoMoment, ErrNotYet.
func (p *Projector) MomentOf(ctx context.Context, tenant, text string) (Moment, error) {
	if position, bad := strconv.ParseInt(text, 10, 64); bad == nil {
		if position < 0 {
			return Moment{}, ErrNoMoment
		}
		return p.MomentAfter(ctx, tenant, position)
	}
	at, bad := time.Parse(time.RFC3339Nano, text)
	if bad != nil || at.Year() < 1 || at.Year() > 9999 {
		return Moment{}, ErrNoMoment
	}
	return p.MomentAt(ctx, tenant, at)
}

// MomentAt is the moment at an instant: after all that was recorded until then. Nothing can be recorded before it any more. ErrNotYet.
func (p *Projector) MomentAt(ctx context.Context, tenant string, at time.Time) (Moment, error) {
	at = at.UTC().Truncate(time.Microsecond)
	_, now, err := p.config.Watermark(ctx, tenant)
	if err != nil {
		return Moment{}, fmt.Errorf("projector: watermark: %w", err)
	}
	if at.After(now) {
		return Moment{}, ErrNotYet
	}
	position, err := p.store.PositionAt(ctx, tenant, at)
	return Moment{Position: position, At: at}, err
}

// MomentAfter is the moment when the event at a position was recorded. Before the first event, at 0, it is the epoch. ErrNotYet.
func (p *Projector) MomentAfter(ctx context.Context, tenant string, position int64) (Moment, error) {
	if position == 0 {
		return Moment{At: time.Unix(0, 0).UTC()}, nil
	}
	events, err := p.store.ReadPositions(ctx, tenant, []int64{position})
	if err != nil {
		return Moment{}, err
	}
	if len(events) == 0 {
		return Moment{}, ErrNotYet
	}
	return Moment{Position: position, At: events[0].RecordedAt}, nil
}

// Fingerprint tells the tables of some projections from those that a program with other versions of them has. ErrUnknownProjection.
func (p *Projector) Fingerprint(names []string) (string, error) {
	var all string
	for _, name := range names {
		def, err := p.definition(name)
		if err != nil {
			return "", err
		}
		all += fmt.Sprintf("%s/%d/%s ", def.Name, def.Version, def.fingerprint())
	}
	return shortHash(all), nil
}

// BuildAsOf makes a schema with the read models of some projections, as of a moment of one tenant: a build with an end, which nobody feeds or
// serves. It folds as a rebuild does. Whatever ends it early leaves a schema that is to be dropped, see DropAsOf.
//
// progress is called now and then with the events folded and to fold, over all of these projections; by one goroutine at a time.
// ErrUnknownProjection, ErrStopped.
func (p *Projector) BuildAsOf(ctx context.Context, schema, tenant string, m Moment, names []string, progress func(done, total int64)) error {
	builds, err := p.createAsOf(ctx, schema, names)
	if err != nil {
		return fmt.Errorf("projector: create %s: %w", schema, err)
	}
	report := newReport(progress)
	for _, b := range builds {
		report.set(b.Name, 0, m.Position)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	turns := make(chan struct{}, 2) // while one waits for the database, the other folds
	var wait sync.WaitGroup
	for _, b := range builds {
		wait.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			if err := p.fillAsOf(ctx, b, tenant, m, report); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return p.analyze(ctx, schema)
}

// ErrStopped says that the log holds an event that cannot be applied and concerns nobody in particular.
var ErrStopped = errors.New("projector: an event cannot be applied")

// createAsOf makes the schema with the tables of all projections.
func (p *Projector) createAsOf(ctx context.Context, schema string, names []string) ([]Build, error) {
	var builds []Build
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `create schema `+pgx.Identifier{schema}.Sanitize()); err != nil {
			return err
		}
		for _, name := range names {
			def, err := p.definition(name)
			if err != nil {
				return err
			}
			b, err := enterAsOf(ctx, tx, def, schema)
			if err != nil {
				return err
			}
			builds = append(builds, b)
		}
		return isolate(ctx, tx, schema)
	})
	return builds, err
}

// enterAsOf notes a build with an end, and makes its tables in a schema that is there.
func enterAsOf(ctx context.Context, tx pgx.Tx, def *Definition, schema string) (b Build, err error) {
	rows, err := tx.Query(ctx, `insert into projection_builds (name, version, schema, status, fingerprint) values ($1, $2, $3, $4, $5) returning `+buildColumns,
		def.Name, def.Version, schema, StatusAsOf, def.fingerprint())
	if err != nil {
		return b, err
	}
	if b, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Build]); err != nil {
		return b, err
	}
	return b, runIn(ctx, tx, schema, def.Tables)
}

// fillAsOf folds a tenant's log into a build up to a moment, and makes its indexes.
func (p *Projector) fillAsOf(ctx context.Context, b Build, tenant string, m Moment, report *report) error {
	def, err := p.definition(b.Name)
	if err != nil {
		return err
	}
	f := p.newFeeder(def, b, tenant)
	f.keep = keepBulk
	f.committed = func(_ string, position int64) { report.set(b.Name, position, m.Position) }
	f.folded = f.committed
	if err := f.catchUp(ctx, m.Position); err != nil {
		return err
	}
	if f.stopped != "" {
		return fmt.Errorf("%w: %s: %s", ErrStopped, def.Name, f.stopped)
	}
	f.bulk, f.tending.limit = true, f.most
	if err := f.tendTo(ctx, m.At, math.MaxInt); err != nil {
		return err
	}
	if def.Indexes == "" {
		return nil
	}
	err = pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error { return runIn(ctx, tx, b.Schema, def.Indexes) })
	if err != nil {
		return fmt.Errorf("projector: indexes of %s as of %d: %w", def.Name, m.Position, err)
	}
	return nil
}

// DropAsOf removes a schema that BuildAsOf has made, or begun to make; nothing happens if there is none, or one of that name that it has not made. It waits for who reads from
// it, 10 s at most; then nothing is removed.
func (p *Projector) DropAsOf(ctx context.Context, schema string) error {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local lock_timeout = '10s'`); err != nil {
			return err
		}
		// They are noted in the transaction that makes the schema: one without is somebody else's.
		noted, err := tx.Exec(ctx, `delete from projection_builds where schema = $1 and status = $2`, schema, StatusAsOf)
		if err != nil || noted.RowsAffected() == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `drop schema if exists `+pgx.Identifier{schema}.Sanitize()+` cascade`)
		return err
	})
	if err != nil {
		return fmt.Errorf("projector: drop %s: %w", schema, err)
	}
	return nil
}

// passing is the schema of temporary tables: each connection has one of its own.
const passing = "pg_temp"

// CustomerAsOf folds what concerns one customer, as of a moment, into tables that only a transaction sees, and lets do ask them there. The log
// is not folded for that but the customer's streams, so it takes as long as the customer's history is long. In these tables the customer is the
// only one, whoever else there was. do may use other connections; so only some customers are folded at a time.
//
// ErrUnknownProjection; ErrStopped, if an event that concerns everybody cannot be applied.
func (p *Projector) CustomerAsOf(ctx context.Context, tenant string, customer uuid.UUID, m Moment, names []string, do func(tx pgx.Tx, schema string) error) error {
	select {
	case p.brief <- struct{}{}:
		defer func() { <-p.brief }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	feeders, stretches := make([]*feeder, len(names)), make([]stretch, len(names))
	for i, name := range names {
		def, err := p.definition(name)
		if err != nil {
			return err
		}
		feeders[i] = p.newFeeder(def, Build{Name: def.Name, Version: def.Version, Schema: passing, Status: StatusAsOf}, tenant)
		if stretches[i], err = feeders[i].concerning(ctx, customer, m.Position); err != nil {
			return err
		}
	}
	tx, err := p.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("projector: begin: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	for i, f := range feeders {
		b, err := enterAsOf(ctx, tx, f.def, passing)
		if err != nil {
			return fmt.Errorf("projector: tables of %s: %w", f.def.Name, err)
		}
		f.build, f.tx = b, tx
		f.lose()
		if err := f.open(ctx); err != nil {
			return err
		}
		if err := f.try(ctx, stretches[i]); err != nil {
			return unapplied(err)
		}
		if err := f.tendTo(ctx, m.At, math.MaxInt); err != nil {
			return err
		}
	}
	return do(tx, passing)
}

// unapplied says ErrStopped where feeding would have stopped.
func unapplied(err error) error {
	var stopped *stoppedError
	if errors.As(err, &stopped) {
		return fmt.Errorf("%w: %s", ErrStopped, stopped.reason)
	}
	return err
}

// catalogues are the streams of what concerns all customers.
var catalogues = []string{tag.Stream, field.Stream, group.Stream, settings.Stream}

// concerning are the events up to a position that are heard and concern a customer, those that concern everybody included.
func (f *feeder) concerning(ctx context.Context, id uuid.UUID, position int64) (stretch, error) {
	h, err := f.history(ctx, id, position)
	if err != nil {
		return stretch{}, err
	}
	common, err := f.store.ReadStreamsTo(ctx, f.tenant, catalogues, position, f.def.Types)
	if err != nil {
		return stretch{}, err
	}
	decoded, broken, err := f.decode(ctx, common)
	if err != nil {
		return stretch{}, err
	}
	events, failed := append(h.events, decoded...), append(h.failed, broken...)
	order := make([]int, len(events))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(events[a].Position, events[b].Position) })
	s := stretch{to: position}
	for _, i := range order {
		if _, skipped := h.skipped[events[i].Position]; !skipped {
			s.events, s.failed = append(s.events, events[i]), append(s.failed, failed[i])
		}
	}
	return s, nil
}
