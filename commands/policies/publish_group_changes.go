package policies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/eventstore/lease"
	"customercenter/eventstore/tenancy"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// The stream of who enters and leaves groups.
const (
	StreamGroups = "CC_GROUPS"

	groupsPrefix   = "cc.groups."
	groupsMaxAge   = 7 * 24 * time.Hour
	groupsMaxBytes = 1 << 30
	groupsPage     = 500
	// groupsPages is how many pages of one tenant are published before the others have their turn.
	groupsPages = 8
)

// groupPublisher tells subscribers who enters and leaves groups: each change as `entered` or `left` on cc.groups.<tenant>.<group>, at least
// once, with an id that is always the same, of one customer and group in the order in which it happened. It is no policy of the log, as
// much of this is due to the clock: it reads what the read model of groups has written, from a cursor of its own that outlives builds.
//
// The cursor moves when the stream has acknowledged what lies before it, so a crash in between repeats and leaves nothing out.
type groupPublisher struct {
	pool     *pgxpool.Pool
	js       jetstream.JetStream
	groups   *projections.Groups
	replicas int
	page     int // changes at once
	sweep    time.Duration
	log      *slog.Logger

	mu      sync.Mutex
	ensured bool // the stream is there, as far as is known
}

func newGroupPublisher(c Config) (*groupPublisher, error) {
	js, err := jetstream.New(c.NATS, jetstream.WithPublishAsyncMaxPending(groupsPage), jetstream.WithPublishAsyncTimeout(sendPatience))
	if err != nil {
		return nil, fmt.Errorf("policies: %w", err)
	}
	return &groupPublisher{
		pool: c.Store.Pool(), js: js, groups: projections.NewGroups(c.Store, c.Builds, projections.NewCatalogues(c.Store)),
		replicas: c.Replicas, page: groupsPage, sweep: c.Sweep, log: c.Log,
	}, nil
}

// run works until ctx ends, on the tenants that this process holds the leases of.
func (p *groupPublisher) run(ctx context.Context) error {
	group := lease.Group{Pool: p.pool, Name: "group-changes", Partitions: partitions, Run: p.work}
	return group.Loop(ctx)
}

func (p *groupPublisher) work(ctx context.Context, partition int) error {
	var complained time.Time
	pause := p.sweep
	for ctx.Err() == nil {
		more, err := p.round(ctx, partition)
		switch {
		case err == nil && more:
			continue
		case err == nil:
			pause = p.sweep
		case ctx.Err() == nil:
			pause = min(2*pause, lastPause)
			if time.Since(complained) > complainEvery {
				complained = time.Now()
				p.log.WarnContext(ctx, "policies: changes of groups cannot be published, trying again", "partition", partition, "error", err)
			}
		}
		wait(ctx, pause)
	}
	return nil
}

// round publishes what there is, but no more than some pages of each tenant. It reports whether there may be more. The stream is there
// from the first round on, so that subscribers can listen before anything has changed.
func (p *groupPublisher) round(ctx context.Context, partition int) (more bool, err error) {
	if err := p.ensure(ctx); err != nil {
		return false, err
	}
	tenants, err := p.groups.WithChanges(ctx)
	if errors.Is(err, projector.ErrNotBuilt) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var failed error
	for _, tenant := range tenants {
		if partitionOf(tenant) != partition {
			continue
		}
		again := true
		for page := 0; again && page < groupsPages; page++ {
			if again, err = p.step(tenancy.Narrow(ctx, tenant), tenant); err != nil {
				failed, again = errors.Join(failed, err), false
			}
		}
		more = more || again
	}
	return more, failed
}

// step publishes the next changes of a tenant and moves the cursor behind them. It reports whether there may be more.
func (p *groupPublisher) step(ctx context.Context, tenant string) (more bool, err error) {
	at, err := p.cursor(ctx, tenant)
	if err != nil {
		return false, err
	}
	changes, behind, err := p.groups.ChangesAfter(ctx, tenant, at, p.page)
	if err != nil {
		return false, err
	}
	if err := p.publish(ctx, tenant, changes); err != nil {
		return false, err
	}
	return len(changes) == p.page, p.move(ctx, tenant, at, behind)
}

// cursor reads how far a tenant's changes have been published.
func (p *groupPublisher) cursor(ctx context.Context, tenant string) (c projections.ChangesCursor, err error) {
	err = p.pool.QueryRow(ctx, `select build, written, safe_at, repeat_to, repeat_from from group_publications where tenant = $1`, tenant).
		Scan(&c.Build, &c.Written, &c.SafeAt, &c.RepeatTo, &c.RepeatFrom)
	if errors.Is(err, pgx.ErrNoRows) {
		return projections.ChangesCursor{}, nil
	}
	if err != nil {
		return c, fmt.Errorf("policies: cursor of group changes: %w", err)
	}
	c.SafeAt, c.RepeatFrom = c.SafeAt.UTC(), c.RepeatFrom.UTC()
	return c, nil
}

// move moves the cursor. If somebody else has moved it meanwhile it stays where that one put it: what was published here is repeated at worst.
func (p *groupPublisher) move(ctx context.Context, tenant string, from, to projections.ChangesCursor) error {
	_, err := p.pool.Exec(ctx, `insert into group_publications as p (tenant, build, written, safe_at, repeat_to, repeat_from) values ($1, $2, $3, $4, $5, $6)
		on conflict (tenant) do update set build = $2, written = $3, safe_at = $4, repeat_to = $5, repeat_from = $6, updated_at = now()
		where p.build = $7 and p.written = $8`, tenant, to.Build, to.Written, to.SafeAt, to.RepeatTo, to.RepeatFrom, from.Build, from.Written)
	if err != nil {
		return fmt.Errorf("policies: cursor of group changes: %w", err)
	}
	return nil
}

// publish returns when the stream has all of the changes. Many are under way at once, but only one of each customer and group: should one
// fail, those behind it must not be there already.
func (p *groupPublisher) publish(ctx context.Context, tenant string, changes []projections.GroupChange) error {
	if len(changes) == 0 {
		return nil
	}
	if err := p.ensure(ctx); err != nil {
		return err
	}
	type pair struct{ group, customer uuid.UUID }
	under := map[pair]bool{}
	var acks []jetstream.PubAckFuture
	for _, c := range changes {
		of := pair{c.Group, c.Customer}
		if under[of] {
			if err := p.acknowledged(ctx, acks); err != nil {
				return err
			}
			clear(under)
			acks = acks[:0]
		}
		under[of] = true
		msg, err := groupMessage(tenant, c)
		if err != nil {
			return err
		}
		ack, err := p.js.PublishMsgAsync(msg)
		if err != nil {
			return p.lost(fmt.Errorf("policies: publish: %w", err))
		}
		acks = append(acks, ack)
	}
	return p.acknowledged(ctx, acks)
}

// acknowledged waits until the stream has what was published.
func (p *groupPublisher) acknowledged(ctx context.Context, acks []jetstream.PubAckFuture) error {
	patience := time.NewTimer(sendPatience)
	defer patience.Stop()
	for _, ack := range acks {
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			return p.lost(fmt.Errorf("policies: publish: %w", err))
		case <-patience.C:
			return p.lost(errors.New("policies: publish: the stream does not acknowledge"))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// lost has the stream looked for again before the next message.
func (p *groupPublisher) lost(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ensured = false
	return err
}

// ensure makes the stream if it is not there.
func (p *groupPublisher) ensure(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ensured {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, sendPatience)
	defer cancel()
	err := ensureStream(ctx, p.js, jetstream.StreamConfig{
		Name: StreamGroups, Description: "who enters and leaves groups of customers", Replicas: p.replicas,
		Subjects: []string{groupsPrefix + ">"}, Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage,
		MaxAge: groupsMaxAge, MaxBytes: groupsMaxBytes, Discard: jetstream.DiscardOld, Duplicates: outWindow,
	})
	p.ensured = err == nil
	return err
}

// GroupSubject is where the entries and leaves of a group are told.
func GroupSubject(tenant string, group uuid.UUID) string {
	return groupsPrefix + tenant + "." + group.String()
}

// groupEvent is what goes out: CloudEvents 1.0, structured JSON. It holds nothing personal; why a customer is in a group, the API tells.
type groupEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`      // the same whenever the change is published; in Nats-Msg-Id too
	Type            string    `json:"type"`    // entered, left
	Source          string    `json:"source"`  // /tenants/<tenant>
	Subject         string    `json:"subject"` // the customer's id
	Time            time.Time `json:"time"`    // when it took effect, which may be long before it was found
	DataContentType string    `json:"datacontenttype"`
	Data            groupData `json:"data"`
}

type groupData struct {
	GroupID    uuid.UUID `json:"group_id"`
	CustomerID uuid.UUID `json:"customer_id"`
	// Revision is that of the rule that judged; 0 if the group has ended.
	Revision int               `json:"revision"`
	Cause    projections.Cause `json:"cause"`
}

// groupMessage is a change as it is published.
func groupMessage(tenant string, c projections.GroupChange) (*nats.Msg, error) {
	event := groupEvent{
		SpecVersion: "1.0", ID: c.ID.String(), Type: "left", Source: "/tenants/" + tenant, Subject: c.Customer.String(), Time: c.At,
		DataContentType: "application/json",
		Data:            groupData{GroupID: c.Group, CustomerID: c.Customer, Revision: c.Revision, Cause: c.Cause},
	}
	if c.Entered {
		event.Type = "entered"
	}
	body, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("policies: a change of a group cannot be encoded: %w", err)
	}
	msg := nats.NewMsg(GroupSubject(tenant, c.Group))
	msg.Header.Set(jetstream.MsgIDHeader, event.ID)
	msg.Header.Set("content-type", "application/cloudevents+json")
	msg.Data = body
	return msg, nil
}
