package policies

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"customercenter/commands"
	"customercenter/domain/catalog"
	"customercenter/eventstore"
	"customercenter/eventstore/bell"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/natsserver"
	"customercenter/internal/natstest"
	"customercenter/projections"
	"customercenter/projections/projector"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		childMain()
		return
	}
	goleak.VerifyTestMain(m)
}

const tenant = "acme"

// patience is how long a test waits for what must happen.
const patience = time.Minute

// world is a tenant with the association 1 of the channel app, on a real database and a real NATS server.
type world struct {
	t      *testing.T
	store  *eventstore.Store
	center *commands.Center
	past   *commands.Center // whose clock is half a minute behind, so that what it lists for a few seconds has expired already
	server *natsserver.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	bells  *bell.Listener
	// projector tells which read models there are; nobody fills them before project.
	projector *projector.Projector
}

func newWorld(t *testing.T, others ...string) *world {
	t.Helper()
	pool := eventstoretest.Pool(t)
	server := natstest.Start(t)
	nc := natstest.Connect(t, server)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	bells, err := bell.Listen(nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bells.Close)
	w := &world{t: t, server: server, nc: nc, js: js, bells: bells}
	keys := eventstoretest.Keys(t, pool)
	w.store = eventstore.New(pool, eventstore.NewCodec(catalog.Events()...), keys, eventstore.WithBell(bell.Ringer(nc)))
	w.center = newCenter(w.store, 0)
	w.past = newCenter(w.store, -30*time.Second)
	w.projector = newProjector(t, w.store, bells)
	for _, slug := range append([]string{tenant}, others...) {
		if err := w.store.CreateTenant(t.Context(), slug, slug); err != nil {
			t.Fatal(err)
		}
		w.mustOn(w.center, commands.By{Tenant: slug, Actor: admin}, commands.RegisterAssociation{Channel: "app", Account: "org#shop", Name: "商城"})
	}
	return w
}

func newCenter(store *eventstore.Store, ahead time.Duration) *commands.Center {
	now := func() time.Time { return time.Now().Add(ahead) }
	return commands.NewCenter(store, now, func() uuid.UUID { return uuid.Must(uuid.NewV7()) })
}

// command is any of the commands.
type command interface {
	Run(context.Context, *commands.Center, commands.By) (commands.Done, error)
}

var (
	admin   = eventstore.Actor{Kind: "admin", ID: "a-1"}
	agent   = eventstore.Actor{Kind: "agent", ID: "li"}
	channel = eventstore.Actor{Kind: "channel", ID: "1"}
)

func (w *world) must(actor eventstore.Actor, cmd command) commands.Done {
	w.t.Helper()
	return w.mustOn(w.center, commands.By{Tenant: tenant, Actor: actor}, cmd)
}

func (w *world) mustOn(center *commands.Center, by commands.By, cmd command) commands.Done {
	w.t.Helper()
	done, err := cmd.Run(w.t.Context(), center, by)
	if err != nil {
		w.t.Fatalf("%T: %v", cmd, err)
	}
	return done
}

// config describes a runner in a process of its own: with a store and a center that have seen nothing yet.
func (w *world) config() Config {
	store := eventstoretest.On(w.t, w.store.Pool(), w.store.Codec())
	return Config{Store: store, Center: newCenter(store, 0), Builds: w.projector, NATS: w.nc, Bells: w.bells, Sweep: 20 * time.Millisecond}
}

func newProjector(t *testing.T, store *eventstore.Store, bells *bell.Listener) *projector.Projector {
	t.Helper()
	p, err := projector.New(projector.Config{Store: store, Definitions: projections.Definitions(), Bells: bells, Sweep: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// project builds the read models and keeps them up to date until the test ends.
func (w *world) project() {
	w.t.Helper()
	if err := w.projector.EnsureBuilt(w.t.Context(), nil); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.projector.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

// projected waits until a read model has all there is.
func (w *world) projected(model string) {
	w.t.Helper()
	if served, fresh, err := w.projector.WaitFor(w.t.Context(), model, tenant, w.head(), patience); err != nil || !fresh {
		w.t.Fatalf("%s is at %d, %v", model, served, err)
	}
}

// start runs a runner until the returned function is called, which waits for its end, or the test ends.
func (w *world) start(r *Runner) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("runner: %v", err)
		}
	}
	w.t.Cleanup(stop)
	return stop
}

func (w *world) runner() *Runner {
	w.t.Helper()
	r, err := New(w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// worker is a policy of a runner at work for the tenant, by hand and without a lease.
func (w *world) worker(r *Runner, policy string) *worker {
	w.t.Helper()
	for _, p := range r.policies {
		if p.name == policy {
			return &worker{Runner: r, policy: p, tenant: tenant}
		}
	}
	w.t.Fatalf("there is no policy %s", policy)
	return nil
}

// caughtUp waits until every policy has dealt with all there is.
func (w *world) caughtUp(r *Runner) {
	w.t.Helper()
	w.until("the policies have not caught up", func() bool {
		all, err := r.Status(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range all {
			if s.Lag() != 0 || s.Due {
				return false
			}
		}
		return len(all) > 0
	})
}

// until asks again and again, as neither the bus nor the log tells when nothing more will come.
func (w *world) until(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			w.t.Fatal(what)
		}
		wait(w.t.Context(), 5*time.Millisecond)
	}
}

// log reads what was appended to the tenant's log after a position.
func (w *world) log(after int64) []eventstore.Decoded {
	w.t.Helper()
	events, err := w.store.ReadLog(w.t.Context(), tenant, after, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	decoded, err := w.store.Open(w.t.Context(), events)
	if err != nil {
		w.t.Fatal(err)
	}
	return decoded
}

func (w *world) head() int64 {
	w.t.Helper()
	head, err := w.store.Head(w.t.Context(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

func (w *world) customer(externalID string) uuid.UUID {
	w.t.Helper()
	return w.must(admin, commands.CreateCustomer{Association: 1, ExternalID: externalID}).Customer
}

// step deals with all of the log, and with what is due if swept. That somebody else moved the position is no failure.
func step(t *testing.T, w *worker, swept bool) {
	t.Helper()
	for more := true; more; {
		var err error
		if more, err = w.step(t.Context(), swept); errors.Is(err, errMoved) {
			w.known, more = false, true
		} else if err != nil {
			t.Error(err)
			return
		}
	}
}

// oneLine makes JSON that is written over several lines comparable.
func oneLine(s string) string { return strings.NewReplacer("\n", "", "\t", "").Replace(s) }
