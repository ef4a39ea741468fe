package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/session"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// What it costs to keep the list's tables and indexes up to date: events that are in the log already are fed to the live read model by the
// product's projector. Beside it, statements of 500 rows do the same to the copy with GIN indexes; they read no log and fold nothing.

// load is a number of changes of one sort.
type load struct {
	name    string
	history iter.Seq[eventstore.Past]
	rows    int // customers created, tagged, and so on
	// plainly changes rows of a copy (%[1]s): $1 are their ids.
	plainly string
	ids     []uuid.UUID
}

const plainBatch = 500

// writes measures each load once: a second time, it would change nothing. Afterwards the copies are gone, as they differ from the log.
func (b *listBench) writes(ctx context.Context) error {
	n := min(20_000, b.Customers)
	b.report.Heading("list: changes a second with all indexes, by the projector; the baseline writes %d rows a statement into the copy with its indexes", plainBatch)
	y, err := newYear(b.year.secret, b.Customers, time.Now()) // nothing follows from what happens now
	if err != nil {
		return err
	}
	for _, prepare := range []func(context.Context, *year, int) (load, error){b.creating, b.taggingAny, b.taggingMany, b.sessions} {
		l, err := prepare(ctx, y, n)
		if err != nil {
			return err
		}
		if err := b.write(ctx, l); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	if _, err := b.plant.pool.Exec(ctx, `drop schema if exists plain cascade`); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

func (b *listBench) write(ctx context.Context, l load) error {
	began := time.Now()
	if !b.Alone {
		for batch := range slices.Chunk(l.ids, plainBatch) {
			if _, err := b.plant.pool.Exec(ctx, fmt.Sprintf(l.plainly, b.plain.best()), batch); err != nil {
				return fmt.Errorf("bench: plain write: %w", err)
			}
		}
	}
	base := float64(len(l.ids)) / time.Since(began).Seconds()
	from, err := b.plant.store.Head(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	if err := b.plant.store.Load(ctx, b.plant.tenant, l.history, nil); err != nil {
		return err
	}
	head, err := b.plant.store.Head(ctx, b.plant.tenant)
	if err != nil {
		return err
	}
	engine, err := projector.New(projector.Config{Store: b.plant.store, Definitions: []projector.Definition{projections.CustomersDefinition()}})
	if err != nil {
		return err
	}
	began = time.Now()
	measured, stop := running(ctx, engine.Run)
	_, fresh, err := engine.WaitFor(measured, projections.CustomersName, b.plant.tenant, head, tooLong)
	took := time.Since(began)
	if err == nil && !fresh {
		err = fmt.Errorf("bench: the read model has not caught up within %s", tooLong)
	}
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	line := Line{Case: "list writes: " + l.name, Unit: "rows/s", Value: float64(l.rows) / took.Seconds(), Note: fmt.Sprintf("%.0f events/s", float64(head-from)/took.Seconds())}
	if !b.Alone {
		line = line.Against(base)
	}
	b.report.Print(line)
	return nil
}

// creating is n imported customers without tags.
func (b *listBench) creating(ctx context.Context, y *year, n int) (load, error) {
	l := load{name: "customers created", rows: n, plainly: `insert into %[1]s (ordinal, id, association, channel, external_id, nickname, nickname_key, name, phone, qq, wechat_id, email, company,
			description, tags, created_via, created_at, updated_at, last_session_at, session_count, message_count, rating_sum, rating_count, rating_last, last_agent, agents, session_open)
		select 1000000000 + c.ordinal, gen_random_uuid(), c.association, c.channel, c.external_id || 'x', c.nickname, c.nickname_key, c.name, c.phone, c.qq, c.wechat_id, c.email, c.company,
			c.description, '{}', 'import', now(), now(), '0001-01-01Z', 0, 0, 0, 0, 0, '', '{}', false
		from %[1]s c where id = any($1)`}
	var err error
	if l.ids, err = b.some(ctx, n); err != nil {
		return load{}, err
	}
	var found []eventstore.Past
	for i := range n {
		p := y.people.At(b.Customers + i)
		v := &visitor{id: customer.ID(y.secret, p.Association.ID, p.Association.Channel, p.ExternalID)}
		var nobody customer.State
		events, err := nobody.Create(customer.New{Association: p.Association.ID, Channel: p.Association.Channel, ExternalID: p.ExternalID, Via: customer.ViaImport, Import: oneImport,
			Profile: customer.Profile{Nickname: p.Nickname, Name: p.FullName, Phone: p.Phone, Company: p.Company}}, func(uuid.UUID) bool { return false }, nil)
		if err != nil {
			return load{}, fmt.Errorf("bench: customer: %w", err)
		}
		found = append(found, y.past(time.Now(), "admin", v.id, v.own(time.Time{}, events...)))
	}
	l.history = slices.Values(found)
	return l, nil
}

// some are n customers from everywhere, in no order.
func (b *listBench) some(ctx context.Context, n int) ([]uuid.UUID, error) {
	return b.whose(ctx, `select id from `+b.schema+`.customer order by md5(ordinal::text) limit $1`, n)
}

func (b *listBench) whose(ctx context.Context, sql string, args ...any) ([]uuid.UUID, error) {
	rows, err := b.plant.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("bench: customers: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("bench: customers: %w", err)
	}
	return ids, nil
}

// visitors are these customers, in this order, with the versions of their streams.
func (b *listBench) visitors(ctx context.Context, ids []uuid.UUID) ([]*visitor, error) {
	rows, err := b.plant.pool.Query(ctx, `select c.id, c.association, c.channel,
			(select version from events e where e.tenant = $1 and e.stream = 'customer-' || c.id order by version desc limit 1)
		from unnest($2::uuid[]) with ordinality i(id, place) join `+b.schema+`.customer c on c.id = i.id order by i.place`, b.plant.tenant, ids)
	if err != nil {
		return nil, fmt.Errorf("bench: customers: %w", err)
	}
	found := make([]*visitor, 0, len(ids))
	var v visitor
	if _, err := pgx.ForEachRow(rows, []any{&v.id, &v.association.ID, &v.association.Channel, &v.version}, func() error {
		one := v
		found = append(found, &one)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("bench: customers: %w", err)
	}
	return found, nil
}

// newTag appends a tag to the catalogue.
func (b *listBench) newTag(ctx context.Context, y *year, name string) (uuid.UUID, error) {
	known, version, err := projections.NewCatalogues(b.plant.store).Tags(ctx, b.plant.tenant)
	if err != nil {
		return uuid.Nil, err
	}
	now := time.Now()
	id := y.id(now)
	events, err := known.Create(id, fmt.Sprintf("%s %d", name, version))
	if err != nil {
		return uuid.Nil, fmt.Errorf("bench: tag: %w", err)
	}
	added := eventstore.StreamAppend{Stream: tag.Stream, Version: version}
	for _, e := range events {
		added.Events = append(added.Events, eventstore.NewEvent{Payload: e})
	}
	return id, b.plant.store.Load(ctx, b.plant.tenant, slices.Values([]eventstore.Past{y.past(now, "admin", uuid.Nil, added)}), nil)
}

// tagging puts new tags onto customers, one each.
func (b *listBench) tagging(ctx context.Context, y *year, name string, ids []uuid.UUID, tags int) (load, error) {
	l := load{name: name, rows: len(ids), ids: ids, plainly: `update %[1]s set tags = array_append(tags, gen_random_uuid()), updated_at = now() where id = any($1)`}
	found, err := b.visitors(ctx, ids)
	if err != nil {
		return load{}, err
	}
	fresh := make([]uuid.UUID, tags)
	for i := range fresh {
		if fresh[i], err = b.newTag(ctx, y, name); err != nil {
			return load{}, err
		}
	}
	now := time.Now()
	l.history = func(yield func(eventstore.Past) bool) {
		for i, v := range found {
			if !yield(y.past(now, "admin", uuid.Nil, v.own(time.Time{}, customer.Tagged{Tag: fresh[i%len(fresh)]}))) {
				return
			}
		}
	}
	return l, nil
}

// taggingAny puts one of fifty tags onto customers from everywhere.
func (b *listBench) taggingAny(ctx context.Context, y *year, n int) (load, error) {
	ids, err := b.some(ctx, n)
	if err != nil {
		return load{}, err
	}
	return b.tagging(ctx, y, "tags put on at random", ids, 50)
}

// taggingMany puts one tag onto all whom a filter found: the newest.
func (b *listBench) taggingMany(ctx context.Context, y *year, n int) (load, error) {
	ids, err := b.whose(ctx, `select id from `+b.schema+`.customer order by ordinal desc limit $1`, n)
	if err != nil {
		return load{}, err
	}
	return b.tagging(ctx, y, "a tag put on in bulk", ids, 1)
}

// sessions is a short session each of customers from everywhere.
func (b *listBench) sessions(ctx context.Context, y *year, n int) (load, error) {
	some, err := b.some(ctx, max(n/2, 1))
	if err != nil {
		return load{}, err
	}
	free, err := b.whose(ctx, `select a.id from `+b.schema+`.customer_activity a where a.id = any($1) and a.open_session is null
		and not exists (select from `+b.schema+`.customer_listing l where l.tenant = a.tenant and l.customer = a.id)`, some)
	if err != nil {
		return load{}, err
	}
	found, err := b.visitors(ctx, free)
	if err != nil {
		return load{}, err
	}
	now := time.Now()
	return load{name: "sessions", rows: len(free), ids: free,
		plainly: `update %[1]s set session_count = session_count + 1, message_count = message_count + 1, last_session_at = now(), last_agent = 'agent-00' where id = any($1)`,
		history: func(yield func(eventstore.Past) bool) {
			for _, v := range found {
				opened := y.open(now, v, uuid.Nil)
				accepted := y.past(now, "agent", uuid.Nil, v.talk(time.Time{}, session.Accepted{Agent: "agent-00"}))
				closed := y.past(now, "agent", uuid.Nil, v.own(time.Time{}, v.closed(false)), v.talk(time.Time{}, session.Closed{By: domain.PartyAgent}))
				if !yield(opened) || !yield(accepted) || !yield(closed) {
					return
				}
			}
		}}, nil
}
