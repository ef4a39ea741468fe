// Package jobs works on imports, exports and bulk actions, piece by piece.
//
// The log says how far each has come, so a piece is an append that says so and does it, and happens once: whoever works on it, however
// often they crash. What is in memory saves reading. Package policies tells which jobs there are to be worked on, and in which process.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/bulk"
	"customercenter/domain/imports"
	"customercenter/domain/job"
	"customercenter/eventstore"
	"customercenter/projections"
	"customercenter/projections/projector"
)

// Config says what jobs work with. Store, Center and Builds are needed.
type Config struct {
	Store  *eventstore.Store
	Center *commands.Center
	Builds projections.Builds
	Log    *slog.Logger // default slog.Default
	Now    func() time.Time
	Short  int // how many customers a piece of work deals with at most that counts as short; default 20,000
}

// Runner works on jobs. It is safe for concurrent use, but two should not work on the same job at the same time: one of them would work in vain.
type Runner struct {
	store      *eventstore.Store
	center     *commands.Center
	catalogues *projections.Catalogues
	customers  *projections.Customers
	groups     *projections.Groups
	builds     projections.Builds
	parts      parts
	log        *slog.Logger
	now        func() time.Time
	freeze     time.Duration // see freeze
	short      int

	mu        sync.Mutex
	walks     map[uuid.UUID]*walk
	mannersOf map[string]*manners // by tenant
}

// memory is how much of the sets of customers is kept to find who is meant, in bytes.
const memory = 32 << 20

// NewRunner returns a runner that does nothing by itself.
func NewRunner(c Config) *Runner {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Short == 0 {
		c.Short = short
	}
	catalogues := projections.NewCatalogues(c.Store)
	groups := projections.NewGroups(c.Store, c.Builds, catalogues)
	customers := projections.NewCustomers(c.Store, c.Builds, catalogues).WithGroups(groups).WithMemory(memory)
	return &Runner{
		store: c.Store, center: c.Center, catalogues: catalogues, builds: c.Builds, groups: groups, customers: customers,
		parts: parts{c.Store.DB()}, log: c.Log, now: c.Now, freeze: freeze, short: c.Short, walks: map[uuid.UUID]*walk{}, mannersOf: map[string]*manners{},
	}
}

// Task is a job that is to be worked on.
type Task struct {
	Tenant string
	Kind   string // job.KindImport …
	ID     uuid.UUID
	// By is who asked for it, and why: the event that began it, which is at Position.
	By       commands.By
	Position int64
	// Short says that no long piece is to be done: ErrLong.
	Short bool
}

// ErrLong says that the next piece of a job may take long, and nothing of it was done.
var ErrLong = errors.New("jobs: the next piece takes long")

// walk is what is remembered of a job between two pieces. It is for one goroutine at a time.
type walk struct {
	*Runner
	Task
	manners  *manners
	failed   int   // times in a row
	waited   int   // times for a read model
	together int   // how many rows or customers go into one append: up to atOnce, fewer after a failure
	version  int64 // of the job's stream, up to which it was looked through for what is to be taken back
	used     time.Time
	selected *bulk.Selected // who is meant is kept, but whether the log says so is not known
	made     *made          // the same of the file of an export
	long     bool           // it is known that the file, or to settle who is meant, takes long

	part      []imports.Row     // of an import that was read last
	partFirst int               // which of the import's rows is its first
	seen      map[uuid.UUID]int // numbers of an import's rows by whom they ask for
	seenTo    int               // of the rows before this one
}

// After a failure a job rests; each further one in a row doubles it.
const (
	firstRest   = 200 * time.Millisecond
	longestRest = 30 * time.Second
	// A job that waits for a read model looks again after moments at first, which is as long as a read model takes that follows the log; then less often.
	firstCatchUp, catchUp = 5 * time.Millisecond, 100 * time.Millisecond
)

// atOnce is how many rows or customers go into one append. Whoever writes to the same tenant waits behind it: with 250 for some 8 ms, with 500 for 15.
// With fewer, all who follow the log would have as much more to do.
const atOnce = 250

// tries is after how many failures in a row a job is given up.
const tries = 30

// Step does the next piece of a job, and reports whether nothing is left to be done; if not, it is to be asked again after a rest. After an
// error too, other than ErrLong; after many the job fails.
func (r *Runner) Step(ctx context.Context, task Task) (rest time.Duration, ended bool, err error) {
	w := r.walk(task)
	w.Short = task.Short
	switch task.Kind {
	case job.KindImport:
		rest, ended, err = w.importStep(ctx)
	case job.KindExport:
		rest, ended, err = w.exportStep(ctx)
	case job.KindBulk:
		rest, ended, err = w.bulkStep(ctx)
	default:
		return 0, true, fmt.Errorf("jobs: a job of a kind that is not known: %s", task.Kind)
	}
	switch {
	case ctx.Err() != nil:
		return 0, false, fmt.Errorf("jobs: %w", context.Cause(ctx))
	case errors.Is(err, ErrLong):
		return rest, false, ErrLong
	case errors.Is(err, errGone):
		return w.fail(ctx, domain.CodeFileGone, nil)
	case namesGone(err) != "":
		return w.fail(ctx, namesGone(err), nil)
	case err == nil:
		w.failed = 0
		w.together = min(2*w.together, atOnce)
		rest = max(rest, w.manners.rest())
	default:
		w.together = max(1, w.together/2)
		if w.failed++; w.failed >= tries && !passing(err) {
			r.log.ErrorContext(ctx, "jobs: a job is given up", "tenant", task.Tenant, "kind", task.Kind, "job", task.ID, "error", err)
			return w.fail(ctx, domain.CodeInternal, nil)
		}
	}
	if ended {
		r.Forget(task.ID)
	}
	if err != nil {
		rest = min(firstRest<<min(w.failed, 10), longestRest)
	}
	return rest, ended, err
}

// unusedFor is after how long a walk is forgotten: its job has ended, or another process works on it.
const unusedFor = 10 * time.Minute

func (r *Runner) walk(task Task) *walk {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	w := r.walks[task.ID]
	if w == nil || w.By.Cause != task.By.Cause {
		for id, other := range r.walks {
			if now.Sub(other.used) > unusedFor {
				delete(r.walks, id)
			}
		}
		if r.mannersOf[task.Tenant] == nil {
			r.mannersOf[task.Tenant] = new(manners)
		}
		w = &walk{Runner: r, Task: task, manners: r.mannersOf[task.Tenant], together: atOnce, seen: map[uuid.UUID]int{}}
		r.walks[task.ID] = w
	}
	w.used = now
	return w
}

// Forget is told that a job has ended.
func (r *Runner) Forget(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.walks, id)
}

// fail says in the log that the job has failed. If that fails, too, it rests for long.
func (w *walk) fail(ctx context.Context, code string, args map[string]any) (rest time.Duration, ended bool, err error) {
	if _, err := (commands.FailJob{Kind: w.Kind, Job: w.ID, Code: code, Args: args}).Run(ctx, w.center, w.By); err != nil {
		return longestRest, false, fmt.Errorf("jobs: fail: %w", err)
	}
	return 0, false, nil
}

// namesGone is the code of what walk.filter refuses; empty for any other error.
func namesGone(err error) string {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) && (refusal.Code == domain.CodeTagUnknown || refusal.Code == domain.CodeGroupUnknown) {
		return refusal.Code
	}
	return ""
}

// passing reports whether an error is none of the job's: the database is away, or in the middle of an upgrade another process knows what this one
// does not.
func passing(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknownType) || errors.Is(err, projector.ErrNotBuilt) ||
		errors.Is(err, commands.ErrBusy)
}

// awaits says how long to wait until the read models that a filter is answered from know what came before the job, so that whoever asked for it
// finds in it what they did just before.
func (w *walk) awaits(ctx context.Context, raw json.RawMessage) (time.Duration, error) {
	if raw == nil {
		return 0, nil
	}
	ready, _, err := projections.Ready(ctx, w.store, w.builds, w.groups, w.Tenant, raw, w.Position)
	switch {
	case err != nil:
		return 0, fmt.Errorf("jobs: %w", err)
	case !ready:
		return w.behind(), nil
	}
	return 0, nil
}

// behind is how long to rest for a read model that is behind.
func (w *walk) behind() time.Duration {
	w.waited++
	return min(firstCatchUp<<min(w.waited-1, 10), catchUp)
}

const (
	// short is Config.Short, where nothing else is said: some tenths of a second.
	short = 20_000
	// tellFor is for how long it is looked whether a piece is short.
	tellFor = 200 * time.Millisecond
)

// mayBegin is ErrLong if what is to be done with all who match a filter takes long, and only what is short may be begun.
func (w *walk) mayBegin(ctx context.Context, raw json.RawMessage) error {
	if !w.Short || raw == nil {
		return nil
	}
	if !w.long {
		parsed, calendar, err := w.filter(ctx, raw)
		if err != nil {
			return err
		}
		count, err := w.customers.CountOf(ctx, w.Tenant, projections.ListQuery{Filter: parsed, Calendar: calendar, At: w.now()}, tellFor)
		if err != nil {
			return fmt.Errorf("jobs: who matches: %w", err)
		}
		w.long = !count.Exact || count.Value > int64(w.short)
	}
	if w.long {
		return ErrLong
	}
	return nil
}

// Sweep deletes what is kept no longer. It is asked once in a while, by any process.
func (r *Runner) Sweep(ctx context.Context) error { return r.parts.sweep(ctx) }
