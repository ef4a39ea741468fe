// Package policies does what follows from what happened: "whenever this happened, do that".
//
// Every policy reads every tenant's log in order and has a position of its own there, in Postgres. What follows from an event happens
// first, and the position moves behind it. So a crash in between repeats it, and everything that a policy does is made to be repeated: a
// command that changes nothing the second time, a message with the same id. Nothing is left out: an event is passed over only if
// what follows from it is refused for good, and that is logged.
//
// A lease gives each part of the tenants to one process. It saves work; what makes it safe is that positions move only from where
// the process believes them to be, and that effects can be repeated.
//
// A policy that cannot go on tries again, less and less often; it holds up nothing but itself, and only for that tenant.
package policies

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"

	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/lease"
	"customercenter/projections"
)

// LeaseName is of the leases that whoever runs policies takes part in.
const LeaseName = "policies"

// Config says what the policies work with. Store, Center, Builds and NATS are needed.
type Config struct {
	Store  *eventstore.Store
	Center *commands.Center
	// Builds tells which read models are asked: for the audiences of auto messages, and for who enters and leaves groups.
	Builds projections.Builds
	// NATS should reconnect for ever.
	NATS *nats.Conn
	// Letters are the dead letters, out of which whoever is erased is taken; nil: there are none.
	Letters Letters
	// Bells tell of what is appended; nil: it is found by the sweep.
	Bells *bell.Listener
	// Sweep is how often to look for what bells did not tell of and for what has become due; default 1 s.
	Sweep time.Duration
	// Replicas of the streams CC_OUT and CC_GROUPS when they are made; default 1.
	Replicas int
	// Log takes what went wrong; default slog.Default.
	Log *slog.Logger

	short int // as in jobs.Config
}

// Runner runs all policies. Any number of processes may run one.
type Runner struct {
	config   Config
	store    *eventstore.Store
	log      *slog.Logger
	policies []*policy
	groups   *groupPublisher           // nil: nobody is told of groups
	slots    map[*policy]chan struct{} // bounds how many tenants of a policy are worked on at once
}

const (
	// partitions is how many parts the tenants are spread over. All processes must agree on it.
	partitions = 4
	// atOnce is how many tenants of one policy a process works on at a time; each may need a connection to the database.
	atOnce = 4
)

// New checks the description and returns a runner that does nothing yet.
func New(c Config) (*Runner, error) {
	if c.Store == nil || c.Center == nil || c.Builds == nil || c.NATS == nil {
		return nil, errors.New("policies: a store, a center, builds of read models and a connection to NATS are needed")
	}
	if c.Sweep <= 0 {
		c.Sweep = time.Second
	}
	if c.Replicas <= 0 {
		c.Replicas = 1
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	send, err := newSender(c)
	if err != nil {
		return nil, err
	}
	groups, err := newGroupPublisher(c)
	if err != nil {
		return nil, err
	}
	runner := jobs.NewRunner(jobs.Config{Store: c.Store, Center: c.Center, Builds: c.Builds, Log: c.Log, Short: c.short})
	erase := &eraser{pool: c.Store.Pool(), store: c.Store, center: c.Center, jobs: runner, js: send.js, letters: c.Letters, log: c.Log, behind: passedOn, queued: map[string]uint64{}}
	all := []*policy{erase.policy(), liftExpiredBlacklistings(c), send.policy(), newAddresser(c).policy(), send.autoPolicy(), noteAutoMessageReplies(c)}
	r := newRunner(c, append(all, runJobs(c, runner)...)...)
	r.groups = groups
	return r, nil
}

func newRunner(c Config, all ...*policy) *Runner {
	r := &Runner{config: c, store: c.Store, log: c.Log, policies: all, slots: map[*policy]chan struct{}{}}
	for _, p := range all {
		r.slots[p] = make(chan struct{}, atOnce)
	}
	return r
}

// Run works until ctx ends, through restarts of NATS and Postgres. The error is nil then.
func (r *Runner) Run(ctx context.Context) error {
	var preparing sync.WaitGroup
	defer preparing.Wait()
	for _, p := range r.policies {
		if p.ended != nil {
			defer p.ended()
		}
		if p.prepare != nil {
			preparing.Go(func() { r.prepare(ctx, p) })
		}
	}
	if r.groups != nil {
		preparing.Go(func() {
			if err := r.groups.run(ctx); err != nil && ctx.Err() == nil {
				r.log.ErrorContext(ctx, "policies: changes of groups are not published", "error", err)
			}
		})
	}
	group := lease.Group{Pool: r.store.Pool(), Name: LeaseName, Clocks: eventstore.ClocksApart, Partitions: partitions, Run: r.work}
	if err := group.Loop(ctx); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	return nil
}

// prepare makes what a policy needs outside of the database, until it is there.
func (r *Runner) prepare(ctx context.Context, p *policy) {
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, lastPause) {
		err := p.prepare(ctx)
		if err == nil {
			return
		}
		if pause == lastPause {
			r.log.WarnContext(ctx, "policies: what a policy needs cannot be made, trying again", "policy", p.name, "error", err)
		}
		wait(ctx, pause)
	}
}

// policy is one "whenever this happened, do that". What it does in react, reactAll and due must be such that doing it again does no harm.
type policy struct {
	name  string   // stored; never changes
	types []string // of the events that it hears
	// prepare, if set, makes what others may look for before anything has happened. It is tried until it succeeds.
	prepare func(ctx context.Context) error
	// wants, if set, chooses among the events of those types before they are opened.
	wants func(e *eventstore.Event) bool
	// note, if set, says what is to be written down of an event, in the transaction that moves the position behind it.
	note func(d *eventstore.Decoded) []statement
	// react, if set, does what follows from an event. A *domain.Refusal passes the event over; with any other error it is tried again.
	react func(ctx context.Context, d *eventstore.Decoded) error
	// reactAll, if set, does what follows from all events of a page together. After an error it is asked again, for the same ones or more.
	reactAll func(ctx context.Context, tenant string, page []*eventstore.Decoded) error
	// due, if set, does what has become due of a tenant, and reports whether there may be more. It is called by the sweep.
	due func(ctx context.Context, tenant string) (more bool, err error)
	// atOnce is whether what was heard just now may be due: somebody waits for it.
	atOnce bool
	// ended, if set, waits for the end of what due has begun and left to itself, once its context has ended.
	ended func()
}

// planned has a statement planned for what is there now: a plan of the time when there was little in policy_due would go through all of it later.
const planned = pgx.QueryExecModeCacheDescribe

// statement is SQL with its arguments.
type statement struct {
	sql  string
	args []any
}
