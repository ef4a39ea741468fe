package policies

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/eventstore/tenancy"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

// eraseName is the name of the policy, and the id of its actor.
const eraseName = "erase-customers"

// settled is how long after an erasure no process opens anything any more with the key, see package keyring. What was opened before is looked for then.
const settled = 3 * time.Second

// What is left of an erasure. These are told.
const (
	leftPast   = "past"        // moments of the past that were prepared
	leftModels = "read_models" // they have not come to the erasure, or an older program's are there
	leftFiles  = "files"       // rows of uploads, files of exports
	leftOut    = "messages"    // what is on its way to channels
	leftDead   = "dead_letters"
	leftQueue  = "queue" // channel events that were carried out, as long as they may lie in a file of the queue
)

// streamIn is the queue of channel events.
const streamIn = "CC_IN"

// eraser removes what is kept beside the log of somebody who was erased. The keys are destroyed already. It may be interrupted anywhere, and then looks
// at everything again; nothing is called done that was not looked at in one go.
type eraser struct {
	pool    *pgxpool.Pool
	store   *eventstore.Store
	center  *commands.Center
	jobs    *jobs.Runner
	js      jetstream.JetStream
	letters Letters
	log     *slog.Logger

	behind uint64 // after how many further messages of the queue nothing of what lay in it is left: passedOn
	mu     sync.Mutex
	queued map[string]uint64 // where the queue ended when it was asked for an erasure first, by customer and generation
}

// Letters are the dead letters.
type Letters interface {
	// Erase removes those of a tenant that name a session, or an external id of an association, of which about says so.
	Erase(ctx context.Context, tenant string, about func(association int, externalID string, session uuid.UUID) (bool, error)) error
}

func (e *eraser) policy() *policy {
	return &policy{name: eraseName, types: []string{customer.Erased{}.EventType()}, prepare: e.again, note: e.note, due: e.work}
}

// again writes the erasures that a restored log does not have, should the restore have come to its end before it did so.
func (e *eraser) again(ctx context.Context) error {
	_, err := e.center.EraseAgain(ctx)
	return err
}

// note remembers whose erasure is to be completed.
func (e *eraser) note(d *eventstore.Decoded) []statement {
	erased, ok := d.Payload.(customer.Erased)
	if !ok {
		return nil
	}
	return []statement{{`insert into policy_due (tenant, policy, key, position, due_at, next_at) values ($1, $2, $3, $4, $5, $5) on conflict do nothing`,
		[]any{d.Tenant, eraseName, d.Customer.String() + ":" + strconv.Itoa(erased.Generation), d.Position, d.RecordedAt.Add(settled)}}}
}

// erasure is one that is to be completed.
type erasure struct {
	tenant     string
	customer   uuid.UUID
	generation int
	position   int64
	settledAt  time.Time
}

// work tries to complete the erasure that has waited longest.
func (e *eraser) work(ctx context.Context, tenant string) (more bool, err error) {
	one := erasure{tenant: tenant}
	var key string
	err = e.pool.QueryRow(ctx, `select key, position, due_at from policy_due where `+isDue+` order by next_at limit 1`, planned, tenant, eraseName).Scan(&key, &one.position, &one.settledAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("policies: due: %w", err)
	}
	who, generation, _ := strings.Cut(key, ":")
	if one.customer, err = uuid.Parse(who); err == nil {
		one.generation, err = strconv.Atoi(generation)
	}
	if err != nil {
		return false, fmt.Errorf("policies: %q is not the key of an erasure", key)
	}
	left, err := e.complete(ctx, one)
	if ctx.Err() != nil {
		return false, fmt.Errorf("policies: erase: %w", context.Cause(ctx))
	}
	if err != nil { // it waits, and holds up no other
		e.log.WarnContext(ctx, "policies: an erasure cannot be completed, trying again", "tenant", tenant, "customer", one.customer, "left", left, "error", err)
	}
	return true, e.settle(ctx, one, key, left)
}

// settle notes what is left, or that nothing is.
func (e *eraser) settle(ctx context.Context, one erasure, key, left string) error {
	batch := &pgx.Batch{}
	batch.Queue(tenancy.ByIndex)
	if left == "" {
		batch.Queue(`update erasures set done_at = coalesce(done_at, now()), tried_at = now(), waiting = null where tenant = $1 and customer = $2 and generation = $3`,
			one.tenant, one.customer, one.generation)
		batch.Queue(`delete from policy_due where tenant = $1 and policy = $2 and key = $3`, one.tenant, eraseName, key)
	} else {
		batch.Queue(`update erasures set tried_at = now(), waiting = $4 where tenant = $1 and customer = $2 and generation = $3`,
			one.tenant, one.customer, one.generation, left)
		batch.Queue(`update policy_due set next_at = clock_timestamp() + least(interval '1 minute', greatest(interval '1 second', (clock_timestamp() - due_at) / 4))
			where tenant = $1 and policy = $2 and key = $3`, one.tenant, eraseName, key)
	}
	if err := e.pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("policies: erase: %w", err)
	}
	return nil
}

// complete looks for all that is kept of somebody, and removes it. left is what could not be removed yet; empty: nothing is left.
func (e *eraser) complete(ctx context.Context, one erasure) (left string, err error) {
	own, err := e.store.ReadStreams(ctx, one.tenant, []string{customer.Stream(one.customer)}, []int64{0})
	if err != nil || len(own) == 0 {
		return leftFiles, errors.Join(err, errIfNone(own))
	}
	for _, part := range []struct {
		name   string
		remove func() (gone bool, err error)
	}{
		{leftPast, func() (bool, error) { return asof.Erase(ctx, e.pool, one.tenant, one.settledAt) }},
		{leftModels, func() (bool, error) {
			if err := projector.DropOlder(ctx, e.pool, projections.Definitions()); err != nil {
				return false, err
			}
			return projector.Folded(ctx, e.pool, one.tenant, one.position)
		}},
		{leftFiles, func() (bool, error) {
			if passed, err := e.passed(ctx, one, runExportsName); err != nil || !passed {
				return false, err
			}
			by := commands.By{Tenant: one.tenant, Actor: eventstore.Actor{Kind: "policy", ID: eraseName}, Cause: one.tenant + ":" + strconv.FormatInt(one.position, 10)}
			return e.jobs.Erase(ctx, by, one.customer, own[0].Position, one.position)
		}},
		{leftOut, func() (bool, error) { return e.outgoing(ctx, one) }},
		{leftDead, func() (bool, error) { return true, e.dead(ctx, one, own) }},
		{leftQueue, func() (bool, error) { return e.drained(ctx, one) }},
	} {
		gone, err := part.remove()
		if err != nil || !gone {
			return part.name, err
		}
	}
	return "", nil
}

func errIfNone(events []eventstore.Event) error {
	if len(events) == 0 {
		return errors.New("policies: the customer has no events")
	}
	return nil
}

// passed reports whether these policies have come to the erasure.
func (e *eraser) passed(ctx context.Context, one erasure, names ...string) (passed bool, err error) {
	err = e.pool.QueryRow(ctx, `select not exists (select from unnest($2::text[]) n(name) left join policy_positions p on p.tenant = $1 and p.policy = n.name
		where p.position is null or p.position < $3)`, one.tenant, names, one.position).Scan(&passed)
	return passed, err
}

// outgoing removes what is on its way to channels, once those who send have come to the erasure: they send nothing to whoever was erased.
func (e *eraser) outgoing(ctx context.Context, one erasure) (gone bool, err error) {
	if passed, err := e.passed(ctx, one, sendName, sendAutoName); err != nil || !passed {
		return false, err
	}
	stream, err := e.js.Stream(ctx, StreamOut)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	reader, err := stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{FilterSubjects: []string{outPrefix + one.tenant + ".*"}})
	if err != nil {
		return false, err
	}
	info, err := reader.Info(ctx)
	if err != nil {
		return false, err
	}
	for left := info.NumPending; left > 0; {
		batch, err := reader.Fetch(int(min(left, pageEvents)), jetstream.FetchMaxWait(sendPatience))
		if err != nil {
			return false, err
		}
		some := false
		for msg := range batch.Messages() {
			meta, err := msg.Metadata()
			if err != nil {
				return false, err
			}
			some, left = true, meta.NumPending
			var sent cloudEvent
			if json.Unmarshal(msg.Data(), &sent) != nil || sent.Data.CustomerID != one.customer {
				continue
			}
			if err := stream.SecureDeleteMsg(ctx, meta.Sequence.Stream); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
				return false, err
			}
		}
		if err := batch.Error(); err != nil {
			return false, err
		}
		if !some {
			return false, errors.New("policies: the messages to channels cannot be read")
		}
	}
	return true, nil
}

// passedOn is how many messages of the queue fill its file, and the next one, at least: files have 8 MiB, and none is smaller than 41 bytes with what the server adds.
const passedOn = 2 * (8 << 20) / 41

// drained reports whether what lay in the queue of channel events is gone from its files. What was acknowledged lies in the files of a work queue until all is that
// lies in the same file. So it is gone once the queue was empty, when the server removes the last file, or when the file it may have lain in was filled since and all of
// it and of the next one is acknowledged: under steady traffic the queue may never be seen empty.
func (e *eraser) drained(ctx context.Context, one erasure) (bool, error) {
	const looks, pause = 20, 10 * time.Millisecond
	key := one.tenant + "/" + one.customer.String() + ":" + strconv.Itoa(one.generation)
	for look := range looks {
		stream, err := e.js.Stream(ctx, streamIn)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		state := stream.CachedInfo().State
		if e.passedBy(key, state.Msgs, state.FirstSeq, state.LastSeq) {
			return true, nil
		}
		if look < looks-1 {
			wait(ctx, pause)
		}
	}
	return false, nil
}

// passedBy notes where the queue ended when it was asked first, and reports whether it is past that now.
func (e *eraser) passedBy(key string, messages, first, last uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	ended, asked := e.queued[key]
	switch {
	case messages == 0 || asked && first > ended+e.behind:
		delete(e.queued, key)
		return true
	case !asked || last < ended: // the stream was made anew
		e.queued[key] = last
	}
	return false
}

// dead removes dead letters that name the customer, or a session of theirs.
func (e *eraser) dead(ctx context.Context, one erasure, own []eventstore.Event) error {
	if e.letters == nil {
		return nil
	}
	events, err := e.store.Open(ctx, own)
	if err != nil {
		return err
	}
	sessions := map[uuid.UUID]bool{}
	for _, d := range events {
		if opened, ok := d.Payload.(customer.SessionOpened); ok {
			sessions[opened.Session] = true
		}
	}
	return e.letters.Erase(ctx, one.tenant, func(association int, externalID string, session uuid.UUID) (bool, error) {
		if session != uuid.Nil {
			return sessions[session], nil
		}
		id, err := e.center.CustomerID(ctx, one.tenant, association, externalID)
		var refusal *domain.Refusal
		if errors.As(err, &refusal) {
			return false, nil // nobody's
		}
		return id == one.customer, err
	})
}

// OpenErasures tells of how many customers who were erased something is left beside the log, and how long ago the first of them was.
func OpenErasures(ctx context.Context, pool *pgxpool.Pool) (open int64, oldest time.Duration, err error) {
	var seconds float64
	err = pool.QueryRow(ctx, `select count(*), coalesce(extract(epoch from clock_timestamp() - min(erased_at)), 0)::float8 from erasures where done_at is null`).Scan(&open, &seconds)
	if err != nil {
		return 0, 0, fmt.Errorf("policies: erasures: %w", err)
	}
	return open, time.Duration(seconds * float64(time.Second)), nil
}
