package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/api/accounts"
	"customercenter/api/ingest"
	"customercenter/commands"
	"customercenter/commands/jobs"
	"customercenter/commands/policies"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/keyring"
	"customercenter/eventstore/relay"
	"customercenter/eventstore/tenancy"
	"customercenter/projections"
	"customercenter/projections/asof"
	"customercenter/projections/projector"
)

// The parts of the product. A process runs some or all of them; any number of processes may run each.
const (
	roleAPI       = "api"       // answers over HTTP
	roleRelay     = "relay"     // carries the log to NATS
	roleProjector = "projector" // fills the read models
	rolePolicies  = "policies"  // turns what happened into commands and messages: channel events, policies; and forgets old receipts
)

var allRoles = []string{roleAPI, roleRelay, roleProjector, rolePolicies}

// node is one process of the product: everything the roles share.
type node struct {
	log         *slog.Logger
	pool        *pgxpool.Pool
	nc          *nats.Conn
	js          jetstream.JetStream
	bells       *bell.Listener
	store       *eventstore.Store
	keys        *keyring.Keyring
	attendance  *keyring.Attendance
	center      *commands.Center
	catalogues  *projections.Catalogues
	projector   *projector.Projector
	tokens      *access.Tokens
	signIns     *access.SignIns
	relay       *relay.Relay
	handler     *ingest.Handler
	policies    *policies.Runner
	dead        *ingest.DeadLetters
	asOf        *asof.Schemas // the past
	jobs        *jobs.Runner  // takes in files and gives them out; policies work on jobs with one of their own
	metrics     *prometheus.Registry
	traces      *sdktrace.TracerProvider // nil: nobody looks
	tracer      trace.Tracer             // of them, or nil
	limits      api.Limits               // of the API; none if it is not set
	connections int                      // that the API may have open; 0: as many as the system lets it
	past        pastFlags                // what is kept of the past; the defaults if it is not set
	pages       pageFlags                // none are served if it is not set
	accounts    *accounts.Provider       // the company's own sign-in; nil: there is none
	accountsFor time.Duration            // how long a sign-in by it lasts
	stage       atomic.Int32             // starting, serving, ending
	replicas    int                      // of streams; 0: the defaults
	drain       time.Duration            // for how long a process that is to end still takes requests

	ctx  context.Context // of run; ends background work
	work sync.WaitGroup
}

// openNode connects the parts. The database is migrated; nothing runs yet. The connection to NATS stays the caller's. Streams are made with so many replicas; with 0
// there is one, and CC_EVENTS stays as it is.
func openNode(ctx context.Context, databaseURL string, nc *nats.Conn, master *keyring.Master, log *slog.Logger, schedule scheduleFlags, replicas int) (*node, error) {
	n := &node{log: log, nc: nc, replicas: replicas, metrics: prometheus.NewRegistry()}
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := n.open(ctx, databaseURL, master, schedule); err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

func (n *node) open(ctx context.Context, databaseURL string, master *keyring.Master, schedule scheduleFlags) (err error) {
	if err = n.openTraces(ctx); err != nil {
		return err
	}
	if n.pool, err = eventstore.Connect(ctx, databaseURL, 32); err != nil {
		return err
	}
	if err := waitForDatabase(ctx, n.pool); err != nil {
		return err
	}
	if err = eventstore.Migrate(ctx, n.pool); err != nil {
		return err
	}
	isolated, err := tenancy.Isolated(ctx, n.pool)
	if err != nil {
		return err
	}
	if !isolated {
		n.log.Warn("row-level security is off, as the database's user may not take the role customercenter_app: see `customercenter doctor`")
	}
	if n.js, err = jetstream.New(n.nc); err != nil {
		return fmt.Errorf("JetStream: %w", err)
	}
	if n.bells, err = bell.Listen(n.nc); err != nil {
		return err
	}
	n.keys = keyring.New(n.pool, master)
	if n.attendance, err = n.keys.Attend(ctx, processName()); err != nil {
		return masterNeeded(err)
	}
	n.store = eventstore.New(n.pool, codec(), n.keys, eventstore.WithBell(bell.Ringer(n.nc)))
	n.center = commands.NewCenter(n.store, time.Now, newID)
	n.catalogues = projections.NewCatalogues(n.store)
	n.tokens = access.NewTokens(n.pool, time.Now, n.store.Secret)
	n.signIns = access.NewSignIns(n.pool, time.Now)
	n.handler = ingest.NewHandler(n.center)
	if n.dead, err = ingest.NewDeadLetters(n.nc); err != nil {
		return err
	}
	if n.projector, err = projector.New(projector.Config{
		Store: n.store, Definitions: projections.Definitions(), Bells: n.bells, VerifyEvery: schedule.VerifyEvery, KeepFormer: schedule.KeepFormer, Tracer: n.tracer, Log: n.log,
	}); err != nil {
		return err
	}
	if n.asOf, err = asof.New(asof.Config{Store: n.store, Projector: n.projector, Log: n.log}); err != nil {
		return err
	}
	if n.relay, err = relay.New(relay.Config{Store: n.store, NATS: n.nc, Replicas: n.replicas, Tracer: n.tracer}); err != nil {
		return err
	}
	n.jobs = jobs.NewRunner(jobs.Config{Store: n.store, Center: n.center, Builds: n.projector, Log: n.log})
	if n.policies, err = policies.New(policies.Config{Store: n.store, Center: n.center, Builds: n.projector, NATS: n.nc, Letters: n.dead, Bells: n.bells, Replicas: n.replicas, Log: n.log}); err != nil {
		return err
	}
	return n.metrics.Register(lag{n})
}

func codec() *eventstore.Codec { return eventstore.NewCodec(catalog.Events()...) }

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) } // fails only when the system has no random numbers

func (n *node) close() {
	if n.bells != nil {
		n.bells.Close()
	}
	if n.attendance != nil {
		n.attendance.Leave()
	}
	if n.pool != nil {
		n.pool.Close()
	}
	n.closeTraces()
}

// waitForDatabase gives a server that is starting up half a minute.
func waitForDatabase(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		err := pool.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL cannot be reached: %w. Is it running, and is DATABASE_URL right?", err)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// run runs roles until the context ends or one of them fails for good. ready is called once everything runs; listener is only needed
// for the API, and closed.
func (n *node) run(ctx context.Context, roles []string, listener net.Listener, ready func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n.ctx = ctx
	if err := n.metrics.Register(resources{n, roles}); err != nil {
		return err
	}
	if n.past != (pastFlags{}) {
		n.asOf.Keep, n.asOf.Room = n.past.AsOfKeep, n.past.AsOfRoom<<20
	}
	var parts sync.WaitGroup
	start := func(role string, run func(ctx context.Context) error) {
		if !slices.Contains(roles, role) {
			return
		}
		parts.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", role, err))
			}
		})
	}
	start(roleRelay, n.relay.Run)
	start(roleProjector, n.projector.Run)
	start(roleProjector, n.asOf.Run)
	start(rolePolicies, n.consume)
	start(rolePolicies, n.policies.Run)
	start(rolePolicies, n.forget)
	start(roleAPI, func(ctx context.Context) error { return n.serve(ctx, listener) })
	parts.Go(func() {
		select {
		case <-n.attendance.Lost():
			cancel(errMasterReplaced)
		case <-ctx.Done():
		}
	})
	n.stage.Store(serving)
	context.AfterFunc(ctx, func() { n.stage.Store(ending) })
	ready()
	parts.Wait()
	n.work.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (n *node) consume(ctx context.Context) error {
	consumer, err := ingest.NewConsumer(ingest.Config{Handler: n.handler, NATS: n.nc, Pool: n.pool, Metrics: n.metrics, Replicas: n.replicas, Tracer: n.tracer})
	if err != nil {
		return err
	}
	return consumer.Run(ctx)
}

// forget deletes expired receipts, a little at a time, what jobs keep no longer, and sign-ins that are over. Several processes may do so at once.
func (n *node) forget(ctx context.Context) error {
	tick, sweep := time.NewTicker(time.Minute), time.NewTimer(time.Minute)
	defer tick.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for more := true; more; {
				deleted, err := n.store.ForgetReceipts(ctx)
				if err != nil && ctx.Err() == nil {
					n.log.Warn("receipts cannot be forgotten", "error", err)
				}
				more = err == nil && deleted > 0
			}
		case <-sweep.C:
			if err := n.jobs.Sweep(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("what jobs keep no longer cannot be deleted", "error", err)
			}
			if err := n.signIns.Forget(ctx); err != nil && ctx.Err() == nil {
				n.log.Warn("sign-ins that are over cannot be deleted", "error", err)
			}
			sweep.Reset(time.Hour)
		}
	}
}

// finishing is for how long requests that are under way may go on when no others are taken any more: as long as the API lets them work.
const finishing = 30 * time.Second

// serve answers over HTTP until the context ends. From then on /readyz says no, and callers are told to use another connection; others may still come, for as long
// as those who send them here need to notice. Then what has begun is finished.
func (n *node) serve(ctx context.Context, listener net.Listener) error {
	until, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	server, here := api.Server(n.parting(ctx, n.httpHandler(until)), n.log), &visitors{}
	server.ConnState = here.count
	listener, most := bound(listener, n.connections)
	if err := here.watch(n.metrics, most); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-failed:
		return err
	case <-time.After(n.drain):
	}
	end()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// parting closes connections behind their next answer once the process is to end: one that were closed while a request is on its way would lose it.
func (n *node) parting(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
