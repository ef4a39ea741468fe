package policies

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/commands"
	"customercenter/domain/automessage"
	"customercenter/eventstore"
	"customercenter/projections"
)

// addressName is the name of the policy, and the id of its actor.
const addressName = "address-auto-messages"

// addresser finds who belongs to the audiences of running auto messages, and decides that they get them: at the rate of each, until it is
// stopped. What is sent is published by another policy, from the log.
//
// It keeps the running ones in policy_due, by id: next_at is when to go on. How far it has come with an audience is in memory alone, as
// are the messages it may still send by the rate. A process that takes over begins at the beginning of the audience, and passes over who
// has got it: that it is sent once, the log sees to. At each such change one message may go out too early, and while two
// processes believe that it is their turn, each keeps the rate for itself.
type addresser struct {
	pool         *pgxpool.Pool
	store        *eventstore.Store
	center       *commands.Center
	catalogues   *projections.Catalogues
	builds       projections.Builds
	customers    *projections.Customers
	groups       *projections.Groups
	autoMessages *projections.AutoMessages
	log          *slog.Logger
	now          func() time.Time

	mu    sync.Mutex
	walks map[walkKey]*walk
}

type walkKey struct {
	tenant      string
	autoMessage uuid.UUID
}

// audienceMemory is how much of the sets of customers is kept to find audiences, in bytes: they are looked through seldom.
const audienceMemory = 32 << 20

func newAddresser(c Config) *addresser {
	catalogues := projections.NewCatalogues(c.Store)
	groups := projections.NewGroups(c.Store, c.Builds, catalogues)
	return &addresser{
		pool: c.Store.Pool(), store: c.Store, center: c.Center, catalogues: catalogues, builds: c.Builds,
		customers:    projections.NewCustomers(c.Store, c.Builds, catalogues).WithGroups(groups).WithMemory(audienceMemory),
		groups:       groups,
		autoMessages: projections.NewAutoMessages(c.Store, c.Builds),
		log:          c.Log, now: time.Now, walks: map[walkKey]*walk{},
	}
}

func (a *addresser) policy() *policy {
	return &policy{
		name: addressName,
		types: []string{
			automessage.Started{}.EventType(), automessage.Changed{}.EventType(), automessage.Stopped{}.EventType(),
			automessage.RecipientsAdded{}.EventType(),
		},
		note: a.note, due: a.address,
	}
}

// note remembers which auto messages are running. position tells that something is new about one: then it is gone on with at once.
func (a *addresser) note(d *eventstore.Decoded) []statement {
	switch payload := d.Payload.(type) {
	case automessage.Started:
		return []statement{{`insert into policy_due (tenant, policy, key, position, due_at, next_at) values ($1, $2, $3, $4, $5, $5)
			on conflict (tenant, policy, key) do update set position = excluded.position, due_at = excluded.due_at, next_at = excluded.next_at`,
			[]any{d.Tenant, addressName, payload.AutoMessage.String(), d.Position, d.RecordedAt}}}
	case automessage.Stopped:
		a.forget(d.Tenant, payload.AutoMessage)
		return []statement{{`delete from policy_due where tenant = $1 and policy = $2 and key = $3`,
			[]any{d.Tenant, addressName, payload.AutoMessage.String()}}}
	case automessage.Changed:
		return a.anew(d, payload.AutoMessage)
	case automessage.RecipientsAdded:
		return a.anew(d, payload.AutoMessage)
	}
	return nil
}

func (a *addresser) anew(d *eventstore.Decoded, autoMessage uuid.UUID) []statement {
	return []statement{{`update policy_due set position = $4, next_at = least(next_at, $5) where tenant = $1 and policy = $2 and key = $3`,
		[]any{d.Tenant, addressName, autoMessage.String(), d.Position, d.RecordedAt}}}
}

// running is an auto message that is to be gone on with.
type running struct {
	autoMessage uuid.UUID
	started     time.Time
	position    int64 // of the event that was last heard of it
}

// address goes one step on with each auto message that is due.
func (a *addresser) address(ctx context.Context, tenant string) (more bool, err error) {
	due, err := a.running(ctx, tenant)
	if err != nil || len(due) == 0 {
		return false, err
	}
	all, _, err := a.catalogues.AutoMessages(ctx, tenant)
	if err != nil {
		return false, fmt.Errorf("policies: address: %w", err)
	}
	for _, r := range due {
		m, found := all.Find(r.autoMessage)
		if !found || m.Status != automessage.StatusRunning {
			// Its end is in the log already, and will be heard.
			if err := a.postpone(ctx, tenant, r, restAfterFault); err != nil {
				return false, err
			}
			continue
		}
		w := a.walk(tenant, r)
		rest, err := w.step(ctx, m)
		switch {
		case ctx.Err() != nil:
			return false, fmt.Errorf("policies: address: %w", context.Cause(ctx))
		case err != nil: // it rests, and holds up no other
			rest = w.fault()
			a.log.WarnContext(ctx, "policies: an auto message cannot be gone on with, trying again", "tenant", tenant, "auto_message", m.ID, "rest", rest, "error", err)
		}
		if rest <= 0 {
			more = true
			continue
		}
		if err := a.postpone(ctx, tenant, r, rest); err != nil {
			return false, err
		}
	}
	return more, nil
}

const runningSQL = `select key::uuid, due_at, position from policy_due where ` + isDue + ` order by next_at`

func (a *addresser) running(ctx context.Context, tenant string) ([]running, error) {
	rows, err := a.pool.Query(ctx, runningSQL, planned, tenant, addressName)
	if err != nil {
		return nil, fmt.Errorf("policies: due: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (running, error) {
		var r running
		err := row.Scan(&r.autoMessage, &r.started, &r.position)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("policies: due: %w", err)
	}
	return found, nil
}

// postpone lets an auto message rest, unless something new was heard of it meanwhile.
func (a *addresser) postpone(ctx context.Context, tenant string, r running, rest time.Duration) error {
	_, err := a.pool.Exec(ctx, `update policy_due set next_at = clock_timestamp() + make_interval(secs => $5)
		where tenant = $1 and policy = $2 and key = $3 and position = $4`, planned, tenant, addressName, r.autoMessage.String(), r.position, rest.Seconds())
	if err != nil {
		return fmt.Errorf("policies: postpone: %w", err)
	}
	return nil
}

// forget drops the walk of an auto message that was stopped.
func (a *addresser) forget(tenant string, autoMessage uuid.UUID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.walks, walkKey{tenant, autoMessage})
}

// walk is the walk of an auto message: a new one if it was started anew. When something else is new it looks at the list again.
func (a *addresser) walk(tenant string, r running) *walk {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := walkKey{tenant, r.autoMessage}
	w := a.walks[key]
	if w == nil || !w.started.Equal(r.started) {
		w = newWalk(a, tenant, r)
		a.walks[key] = w
	}
	if w.position != r.position {
		w.position, w.listing, w.listed = r.position, true, 0
	}
	return w
}
