package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/keyring"
	"customercenter/internal/traffic"
	"customercenter/projections/projector"
)

// plant is one tenant with its associations on a migrated database, and what carries out its channel events: what the benches that
// need a log of real traffic share.
type plant struct {
	pool    *pgxpool.Pool
	store   *eventstore.Store
	center  *commands.Center
	handler *ingest.Handler
	tenant  string
	traffic traffic.Options // for this tenant; Seed, Events and times are to be set
}

// openPlant makes the tenant. A tenant of that name must not exist yet: what others have left would be measured too.
func openPlant(ctx context.Context, url, tenant string, options ...eventstore.Option) (_ *plant, err error) {
	p, err := connectPlant(ctx, url, tenant, options...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	return p, p.register(ctx)
}

// connectPlant opens the database, whatever is in it, and brings its tables up to date.
func connectPlant(ctx context.Context, url, tenant string, options ...eventstore.Option) (_ *plant, err error) {
	pool, err := eventstore.Connect(ctx, url, 32)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	if err := eventstore.Migrate(ctx, pool); err != nil {
		return nil, err
	}
	master, err := keyring.NewMaster(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	p := &plant{pool: pool, tenant: tenant, traffic: traffic.Defaults()}
	p.traffic.Tenant = tenant
	p.store = eventstore.New(pool, eventstore.NewCodec(catalog.Events()...), keyring.New(pool, master), options...)
	p.center = commands.NewCenter(p.store, time.Now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
	p.handler = ingest.NewHandler(p.center)
	return p, nil
}

// begin makes the tenant in an empty database.
func (p *plant) begin(ctx context.Context) error {
	others, err := p.store.Tenants(ctx)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("bench: the database is in use by tenant %q; every bench needs an empty one", others[0].Slug)
	}
	return p.store.CreateTenant(ctx, p.tenant, p.tenant)
}

// register connects the accounts of the traffic.
func (p *plant) register(ctx context.Context) error {
	for i, a := range p.traffic.Associations {
		done, err := commands.RegisterAssociation{Channel: a.Channel, Account: a.Account, Name: a.Account}.Run(ctx, p.center, p.by())
		if err != nil {
			return fmt.Errorf("bench: association: %w", err)
		}
		p.traffic.Associations[i].ID = done.Association
	}
	return nil
}

func (p *plant) close() { p.pool.Close() }

func (p *plant) by() commands.By {
	return commands.By{Tenant: p.tenant, Actor: eventstore.Actor{Kind: "system", ID: "bench"}}
}

// past is traffic of a number of events, spread over four hours that are over.
func (p *plant) past(seed uint64, events int) traffic.Options {
	o := p.traffic
	o.Seed, o.Events, o.Customers = seed, events, max(events/10, 10)
	o.Start, o.Until = time.Now().Add(-5*time.Hour), time.Now()
	return o
}

// fill writes a log of that many channel events, through the same code that takes them from channels, and returns its last position.
func (p *plant) fill(ctx context.Context, events int) (head int64, err error) {
	generator, err := traffic.New(p.past(1, events))
	if err != nil {
		return 0, err
	}
	if err := p.carry(ctx, generator, events, 0, func(time.Time, ingest.Outcome) {}); err != nil {
		return 0, err
	}
	if err := p.settle(ctx); err != nil {
		return 0, err
	}
	return p.store.Head(ctx, p.tenant)
}

// settle does at once what autovacuum would do in the middle of a measurement.
func (p *plant) settle(ctx context.Context) error {
	if _, err := p.pool.Exec(ctx, `vacuum (analyze) events, customer_keys, receipts`); err != nil {
		return fmt.Errorf("bench: vacuum: %w", err)
	}
	return nil
}

// atOnce is how many channel events are carried out at a time, as many as the consumer of the queue does.
const atOnce = 256

// carry carries out the next events of the generator, many at a time but those of one customer in their order: perSecond of them, or with 0
// as fast as it goes. done is called from many goroutines, with the instant at which each event was due. An event that is refused is an error:
// the generator makes none.
func (p *plant) carry(ctx context.Context, generator *traffic.Generator, events int, perSecond float64, done func(due time.Time, o ingest.Outcome)) error {
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	last := map[traffic.Identity]chan struct{}{} // of each customer: closed when their last event is carried out
	pace := newPace(perSecond)
	for range events {
		due := pace.wait(working)
		event, more := generator.Next()
		if !more || working.Err() != nil {
			break
		}
		who, mine := traffic.Identity{Association: event.Association, ExternalID: event.ExternalID}, make(chan struct{})
		before := last[who]
		last[who] = mine
		group.Go(func() error {
			defer close(mine)
			if before != nil {
				<-before
			}
			outcome, err := p.handler.Handle(working, ingest.Arrival{Tenant: p.tenant, Association: event.Association, Body: event.Body})
			if err != nil {
				return err
			}
			if outcome.Status == ingest.StatusRefused {
				return fmt.Errorf("bench: a %s was refused: %s", event.Kind, outcome.Code)
			}
			done(due, outcome)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// pace tells when the next of so many a second is due.
type pace struct {
	began time.Time
	gap   time.Duration // 0: at once
	n     int64
}

func newPace(perSecond float64) *pace {
	p := &pace{began: time.Now()}
	if perSecond > 0 {
		p.gap = time.Duration(float64(time.Second) / perSecond)
	}
	return p
}

// wait waits for the next and returns when it was due. After a delay those that are overdue go out at once, and the instant says how long ago
// each should have.
func (p *pace) wait(ctx context.Context) time.Time {
	if p.gap == 0 {
		return time.Now()
	}
	due := p.began.Add(time.Duration(p.n) * p.gap)
	p.n++
	if ahead := time.Until(due); ahead > 0 {
		timer := time.NewTimer(ahead)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return due
}

// running runs a part of the product until stop is called, which waits for its end and returns its error. If the part fails before, ctx of
// what is measured ends with its error.
func running(ctx context.Context, run func(ctx context.Context) error) (measured context.Context, stop func() error) {
	measured, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := run(measured)
		if err != nil {
			cancel(err)
		}
		ended <- err
	}()
	return measured, func() error {
		cancel(nil)
		return <-ended
	}
}

// How often something is looked at until it is so: where nothing else is disturbed by it, and as often as a page that shows progress would.
const (
	often  = 5 * time.Millisecond
	seldom = 100 * time.Millisecond
)

// until looks again and again until something is so.
func until(ctx context.Context, every time.Duration, so func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok, err := so(); ok || err != nil {
			return errors.Join(err, context.Cause(ctx))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// watch notes every move of a read model until ctx ends.
func (p *plant) watch(ctx context.Context, engine *projector.Projector, name string) (seen []sighting, err error) {
	for next := int64(1); ; {
		position, fresh, err := engine.WaitFor(ctx, name, p.tenant, next, time.Minute)
		switch {
		case ctx.Err() != nil:
			// Whatever has moved since the last look counts from now.
			position, _, err = engine.WaitFor(context.WithoutCancel(ctx), name, p.tenant, next, 0)
			return append(seen, sighting{time.Now(), position}), err
		case err != nil:
			return nil, err
		case fresh:
			seen = append(seen, sighting{time.Now(), position})
			next = position + 1
		}
	}
}
