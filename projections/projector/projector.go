// Package projector runs projections: it folds the log into read models and keeps them up to date.
//
// What holds:
//
//   - Events come from the log, in order, from a checkpoint; the bus only says that there is something new. The checkpoint moves in the
//     transaction that writes the rows, and only from where the writer believes it to be. So every event is folded once, whoever
//     dies or is replaced in the middle, and a former owner cannot write.
//   - The rows of a (build, tenant) change in no other way. So they may be kept in memory between batches.
//   - An event that cannot be applied parks its customer: it and all later events of that customer are passed over until Retry folds the
//     customer anew. One that concerns no customer stops the tenant's projection, visibly. Nothing is skipped in silence.
//   - A binary knows one version of each projection, in a schema of its own. A rebuild goes to a second schema beside the first.
//   - Rows are a pure function of the log, so a rebuild gives the rows that feeding as it happened gave (Compare).
package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"customercenter/eventstore"
	"customercenter/eventstore/bell"
)

// Config says what to run.
type Config struct {
	Store       *eventstore.Store
	Definitions []Definition
	// Bells tell of what other processes append. Nil: they are heard of by the sweep, or by Ring.
	Bells *bell.Listener
	// Batch is how many events are folded at once at most; default 1,000. What is there is taken, nothing is waited for.
	Batch int
	// Piece is how many rows are changed at once at most where that is not because of events, see Timed; default 5,000.
	Piece int
	// Sweep is how often the log is looked at when no bell rings; default 1 s.
	Sweep time.Duration
	// Watermark returns the last position of a tenant's log and an instant such that all that is recorded up to it is at or below that
	// position, and all that comes later is recorded later. The clock of rows that depend on time goes no further. Default: the
	// database's clock, under the append lock, but no more than a minute ahead of this process's.
	Watermark func(ctx context.Context, tenant string) (head int64, at time.Time, err error)
	// VerifyEvery is how often Run has each projection verified, see Verify; 0: never. Of all processes one does so.
	VerifyEvery time.Duration
	// KeepFormer is after what time Run has a version of a projection dropped that no process feeds any more, if it is older than the one that is
	// served; 0: never. Of all processes one does so.
	KeepFormer time.Duration
	// Tracer tells of every event that is in a trace when it is in the rows of a read model that Run feeds; nil: nobody looks.
	Tracer trace.Tracer
	// Log takes what went wrong; default slog.Default.
	Log *slog.Logger
}

// Projector runs the projections of this binary and tells readers how far they are. A process that only reads need not call Run.
// It is safe for concurrent use.
type Projector struct {
	config Config
	store  *eventstore.Store
	pool   *pgxpool.Pool
	log    *slog.Logger

	mu    sync.Mutex
	live  map[string]liveBuild         // by projection
	found map[string]bool              // projections of which a live build has been seen
	heads [partitions]map[string]int64 // last known position of each tenant's log
	wakes map[chan struct{}]int        // by whom a partition's rings are awaited

	fed    fedBuilds
	served reached
	recent *recent
	turns  chan struct{} // has room for as many great stretches as are folded at a time
	brief  chan struct{} // has room for as many customers as are folded in passing at a time, see CustomerAsOf
}

// New returns a projector on a migrated database.
func New(c Config) (*Projector, error) {
	if c.Batch <= 0 {
		c.Batch = 1000
	}
	if c.Piece <= 0 {
		c.Piece = 5000
	}
	if c.Sweep <= 0 {
		c.Sweep = time.Second
	}
	if c.Watermark == nil {
		c.Watermark = careful(c.Store.Watermark, time.Now)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	for i := range c.Definitions {
		d := &c.Definitions[i]
		same := func(o Definition) bool { return o.Name == d.Name }
		if !d.valid() || slices.ContainsFunc(c.Definitions[:i], same) {
			return nil, fmt.Errorf("projector: the definition of %q is not complete, or there are two", d.Name)
		}
	}
	return &Projector{
		config: c, store: c.Store, pool: c.Store.Pool(), log: c.Log,
		live: map[string]liveBuild{}, found: map[string]bool{}, wakes: map[chan struct{}]int{},
		recent: newRecent(), turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		brief: make(chan struct{}, max(1, c.Store.Pool().Config().MaxConns/4)),
	}, nil
}

func (p *Projector) definition(name string) (*Definition, error) {
	for i := range p.config.Definitions {
		if p.config.Definitions[i].Name == name {
			return &p.config.Definitions[i], nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownProjection, name)
}

// Ring says that a tenant's log has reached a position. It does not block; a ring that is lost is made up for by the sweep, and so is
// one that says too much.
func (p *Projector) Ring(tenant string, position int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	partition := partitionOf(tenant)
	if last, known := p.heads[partition][tenant]; !known || last < position {
		p.setHead(partition, tenant, position)
	}
}

// setHead notes the head of a tenant's log and wakes who feeds it. p.mu is held.
func (p *Projector) setHead(partition int, tenant string, position int64) {
	if p.heads[partition] == nil {
		p.heads[partition] = map[string]int64{}
	}
	p.heads[partition][tenant] = position
	for wake, of := range p.wakes {
		if of != partition {
			continue
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// Run feeds all builds of this binary's projections until the context ends. Partitions of tenants are spread over the processes that
// run the same version. It returns nil when the context ends.
func (p *Projector) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	wait.Go(func() { p.sweep(ctx) })
	wait.Go(func() { p.noteFeeding(ctx) })
	if p.config.Bells != nil {
		wait.Go(func() { p.listen(ctx) })
	}
	run := func(part func(ctx context.Context) error) {
		wait.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	for i := range p.config.Definitions {
		run(func(ctx context.Context) error { return p.spread(ctx, &p.config.Definitions[i]) })
	}
	if p.config.VerifyEvery > 0 {
		run(p.verifyNowAndThen)
	}
	if p.config.KeepFormer > 0 {
		run(p.dropFormers)
	}
	wait.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// sweep looks at the heads of all logs now and then, for tenants that are new and bells that were lost.
func (p *Projector) sweep(ctx context.Context) {
	tick := time.NewTicker(p.config.Sweep)
	defer tick.Stop()
	for {
		if err := p.look(ctx); err != nil && ctx.Err() == nil {
			p.log.Warn("projector: the log cannot be looked at", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads the heads from the logs. They count for more than bells, which may have said too much: the log was restored to an earlier
// state, or somebody rang who should not. Only a bell that rang meanwhile may know of something later. Tenants that only a bell knows
// of are forgotten.
func (p *Projector) look(ctx context.Context) error {
	var before [partitions]map[string]int64
	for partition := range before {
		before[partition] = p.knownHeads(partition)
	}
	heads, err := p.logHeads(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for tenant, head := range heads {
		partition := partitionOf(tenant)
		told, known := p.heads[partition][tenant]
		was, knew := before[partition][tenant]
		rang := known && (!knew || told != was)
		if !known || told < head || told > head && !rang {
			p.setHead(partition, tenant, head)
		}
	}
	for partition, known := range before {
		for tenant := range known {
			if _, exists := heads[tenant]; !exists {
				delete(p.heads[partition], tenant)
			}
		}
	}
	return nil
}

// logHeads reads the last position of every tenant's log, 0 for an empty one.
func (p *Projector) logHeads(ctx context.Context) (map[string]int64, error) {
	rows, err := p.pool.Query(ctx, `select t.slug, coalesce((select e.position from events e where e.tenant = t.slug order by e.position desc limit 1), 0)
		from tenants t`)
	if err != nil {
		return nil, fmt.Errorf("projector: heads: %w", err)
	}
	defer rows.Close()
	heads := map[string]int64{}
	for rows.Next() {
		var tenant string
		var head int64
		if err := rows.Scan(&tenant, &head); err != nil {
			return nil, fmt.Errorf("projector: heads: %w", err)
		}
		heads[tenant] = head
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("projector: heads: %w", err)
	}
	return heads, nil
}

// awaken returns a channel that is filled when there is something new in a partition, and a function that ends that.
func (p *Projector) awaken(partition int) (<-chan struct{}, func()) {
	wake := make(chan struct{}, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wakes[wake] = partition
	return wake, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.wakes, wake)
	}
}

// knownHeads is a copy of what bells and sweeps have told of a partition.
func (p *Projector) knownHeads(partition int) map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.heads[partition])
}
