// Package asof keeps schemas with read models as they were at moments of the past: they are built when somebody asks, shared by who asks for the
// same moment, and removed when nobody has asked for a while.
//
// The table as_of_schemas says which there are. One process at a time builds and removes them, see Run; any process may ask for one. They hold
// personal data as read models do.
package asof

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// States of a schema.
const (
	Queued   = "queued"   // waits until others are built
	Building = "building" // is filled
	Ready    = "ready"    // can be asked
	Failed   = "failed"   // could not be built; Code says why
	Leaving  = "leaving"  // is removed as soon as nobody can be reading it any more
)

// Why a schema could not be built.
const (
	CodeTooLarge = "AS_OF_TOO_LARGE" // there is no room for it within Config.Room
	CodeStopped  = "AS_OF_STOPPED"   // the log holds an event that cannot be applied
	CodeFailed   = "AS_OF_FAILED"    // something else; the log of the process that built has it
)

// Models are the read models of a schema that is shared.
var Models = []string{projections.CustomersName, projections.GroupsName, projections.SessionsName}

// Schema is one schema, or one that is to be.
type Schema struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"schema"`
	Tenant   string    `json:"tenant"`
	Position int64     `json:"position"`
	At       time.Time `json:"as_of"`
	State    string    `json:"state"`
	// Done and Total are events folded and to fold, over all read models in it.
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
	// Bytes is how much room it takes, to a second while it is built.
	Bytes     int64            `json:"bytes"`
	Code      string           `json:"code,omitempty"`
	Actor     eventstore.Actor `json:"-"` // who asked first
	CreatedAt time.Time        `json:"created_at"`
	ChangedAt time.Time        `json:"changed_at"` // of the state
	AskedAt   time.Time        `json:"asked_at"`   // to ten seconds
	// EndsAt is until when one with a name of its own is kept; nil: it is shared, and kept while it is asked.
	EndsAt *time.Time `json:"ends_at,omitempty"`

	models []string
}

// Moment is what it is as of.
func (s *Schema) Moment() projector.Moment {
	return projector.Moment{Position: s.Position, At: s.At}
}

var (
	// ErrMany says that too many schemas of the tenant wait to be built already.
	ErrMany = errors.New("asof: too many moments are asked for at once")
	// ErrName says that a schema cannot be called that, or that there is one of that name.
	ErrName = errors.New("asof: the name is not free, or none that a schema may have")
	// ErrUnknown says that there is no such schema.
	ErrUnknown = errors.New("asof: there is no such schema")
)

// MostQueued is how many schemas of one tenant may wait to be built.
const MostQueued = 20

// Config says what to work with. Store and Projector are needed.
type Config struct {
	Store     *eventstore.Store
	Projector *projector.Projector
	// Keep is how long a shared schema stays after it was asked last; default 1 h.
	Keep time.Duration
	// Room is how many bytes all schemas may take together; default 10 GiB. Shared ones that were not asked for the longest time make room for
	// others. Those that are leaving are not counted, though they still take room for the time of Grace.
	Room int64
	// Grace is after how long nobody can be reading any more from a schema that is asked no more; default 40 s.
	Grace time.Duration
	Log   *slog.Logger // default slog.Default
}

// Schemas are all schemas of a database. It is safe for concurrent use.
type Schemas struct {
	Config
	pool        *pgxpool.Pool
	wake        chan struct{}
	shared, all string // fingerprints of Models, and of all read models
	names       []string
}

// New returns the schemas of a migrated database. Nothing is built before somebody calls Run, in this process or another one.
func New(c Config) (*Schemas, error) {
	if c.Keep <= 0 {
		c.Keep = time.Hour
	}
	if c.Room <= 0 {
		c.Room = 10 << 30
	}
	if c.Grace <= 0 {
		c.Grace = 40 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Schemas{Config: c, pool: c.Store.Pool(), wake: make(chan struct{}, 1)}
	for _, d := range projections.Definitions() {
		s.names = append(s.names, d.Name)
	}
	var err error
	if s.shared, err = c.Projector.Fingerprint(Models); err != nil {
		return nil, err
	}
	s.all, err = c.Projector.Fingerprint(s.names)
	return s, err
}

const columns = `id, schema, tenant, position, instant, state, done, total, bytes, code, actor_kind, actor, created_at, changed_at, asked_at, ends_at, models`

func scan(row pgx.CollectableRow) (s Schema, err error) {
	err = row.Scan(&s.ID, &s.Name, &s.Tenant, &s.Position, &s.At, &s.State, &s.Done, &s.Total, &s.Bytes, &s.Code, &s.Actor.Kind, &s.Actor.ID,
		&s.CreatedAt, &s.ChangedAt, &s.AskedAt, &s.EndsAt, &s.models)
	s.At, s.CreatedAt, s.ChangedAt, s.AskedAt = s.At.UTC(), s.CreatedAt.UTC(), s.ChangedAt.UTC(), s.AskedAt.UTC()
	if s.EndsAt != nil {
		*s.EndsAt = s.EndsAt.UTC()
	}
	return s, err
}

func (s *Schemas) query(ctx context.Context, sql string, args ...any) ([]Schema, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("asof: %w", err)
	}
	found, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("asof: %w", err)
	}
	return found, nil
}

func (s *Schemas) one(ctx context.Context, sql string, args ...any) (Schema, bool, error) {
	found, err := s.query(ctx, sql, args...)
	if err != nil || len(found) == 0 {
		return Schema{}, false, err
	}
	return found[0], true, nil
}

// failedFor is how long an attempt that failed answers for the next one.
const failedFor = time.Minute

// Ask returns the schema as of a moment, and has it built if there is none. If it is not ready, Ask waits for so long at most. One that could
// not be built a moment ago is not tried again. Nothing that is ready is removed within the time of Grace. ErrMany.
func (s *Schemas) Ask(ctx context.Context, tenant string, m projector.Moment, by eventstore.Actor, patience time.Duration) (Schema, error) {
	end := time.Now().Add(patience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		found, known, err := s.one(ctx, `select `+columns+` from as_of_schemas
			where tenant = $1 and position = $2 and instant = $3 and definitions = $4 and ends_at is null
			and (state in ('queued', 'building', 'ready') or state = 'failed' and changed_at > now() - $5::interval) order by created_at desc limit 1`,
			tenant, m.Position, m.At, s.shared, failedFor)
		if err != nil {
			return Schema{}, err
		}
		if !known {
			if err := s.enqueue(ctx, tenant, m, by); err != nil {
				return Schema{}, err
			}
			continue
		}
		if found.State == Failed {
			return found, nil
		}
		if err := s.touch(ctx, &found); err != nil {
			return Schema{}, err
		}
		if found.State == Ready || !time.Now().Before(end) {
			return found, nil
		}
		select {
		case <-ctx.Done():
			return Schema{}, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// enqueue asks for a schema, unless somebody else has.
func (s *Schemas) enqueue(ctx context.Context, tenant string, m projector.Moment, by eventstore.Actor) error {
	var waiting int
	if err := s.pool.QueryRow(ctx, `select count(*) from as_of_schemas where tenant = $1 and state = 'queued'`, tenant).Scan(&waiting); err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	if waiting >= MostQueued {
		return ErrMany
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	_, err = s.pool.Exec(ctx, `insert into as_of_schemas (id, schema, tenant, position, instant, models, definitions, total, actor_kind, actor)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing`,
		id, "as_of_"+strings.ReplaceAll(id.String(), "-", ""), tenant, m.Position, m.At, Models, s.shared, m.Position*int64(len(Models)), by.Kind, by.ID)
	if err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	s.stir()
	return nil
}

// touch notes that a schema is asked for.
func (s *Schemas) touch(ctx context.Context, found *Schema) error {
	_, err := s.pool.Exec(ctx, `update as_of_schemas set asked_at = now() where id = $1 and asked_at < now() - interval '10 seconds'`, found.ID)
	if err != nil {
		return fmt.Errorf("asof: %w", err)
	}
	return nil
}

// stir has this process look at once whether there is something to build, if it is the one that does.
func (s *Schemas) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Find returns one of a tenant's schemas by the id of its job. Who looks at the job asks for the schema.
func (s *Schemas) Find(ctx context.Context, tenant string, id uuid.UUID) (Schema, bool, error) {
	found, known, err := s.one(ctx, `select `+columns+` from as_of_schemas where tenant = $1 and id = $2`, tenant, id)
	if err == nil && known {
		err = s.touch(ctx, &found)
	}
	return found, known, err
}

// List returns all schemas, of one tenant or (empty) of all, the latest first.
func (s *Schemas) List(ctx context.Context, tenant string) ([]Schema, error) {
	return s.query(ctx, `select `+columns+` from as_of_schemas where tenant = $1 or $1 = '' order by created_at desc, id`, tenant)
}

// Then are the read models in a schema that is ready.
func (s *Schema) Then(customers *projections.Customers, sessions *projections.Sessions) projections.AsOf {
	return projections.NewAsOf(customers, sessions, s.Name, s.Moment())
}
