package projector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"customercenter/projections/projectionstest"
)

func TestOneProcessVerifiesAndWhatOneLeftIsRemoved(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 200)
	world.Run(1000)
	p, elsewhere := ledgers(t, store, one), ledgers(t, store, one)
	live := ensure(t, p)
	older := ledgerOf(one)
	older.Version = 7 // of a program that is not here any more
	for _, def := range []*Definition{&p.config.Definitions[0], &older} {
		if _, err := p.create(t.Context(), def, StatusVerifying); err != nil { // and then the process died
			t.Fatal(err)
		}
	}
	var meanwhile []Build
	var busy error
	found, err := p.Verify(t.Context(), "ledger", func(done, _ int64) {
		if done == 0 {
			return
		}
		_, busy = elsewhere.Verify(context.Background(), "ledger", nil)
		meanwhile, _ = elsewhere.Builds(context.Background(), "ledger")
	})
	if err != nil || len(found) != 1 || len(found[0].Differences) != 0 || found[0].Position != world.Head() || found[0].Rows == 0 || found[0].Build != live.ID {
		t.Fatalf("%+v, %v", found, err)
	}
	if !errors.Is(busy, ErrVerifying) {
		t.Errorf("two at once: %v", busy)
	}
	if len(meanwhile) != 2 || meanwhile[1].Status != StatusVerifying {
		t.Fatalf("builds meanwhile: %+v", meanwhile)
	}
	for _, err := range []error{p.Switch(t.Context(), "ledger", meanwhile[1].ID), p.Drop(t.Context(), "ledger", meanwhile[1].ID)} {
		if !errors.Is(err, ErrNoBuild) {
			t.Errorf("a build of a verification is dealt with: %v", err)
		}
	}
	var builds, schemas int
	if err := store.Pool().QueryRow(t.Context(), `select (select count(*) from projection_builds), (select count(*) from pg_namespace where nspname like 'ledger%')`).
		Scan(&builds, &schemas); err != nil || builds != 1 || schemas != 1 {
		t.Errorf("%d builds and %d schemas are left, %v", builds, schemas, err)
	}
}

// A verification that is broken off leaves nothing, and the next one is not held up.
func TestVerifyBrokenOff(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	projectionstest.NewWorld(t, store, tenant, 1, 200).Run(1000)
	p := ledgers(t, store, one)
	ensure(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := p.Verify(ctx, "ledger", func(done, _ int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("broken off: %v", err)
	}
	if builds, err := p.Builds(t.Context(), "ledger"); err != nil || len(builds) != 1 {
		t.Errorf("%+v, %v", builds, err)
	}
	if _, err := p.Verify(t.Context(), "ledger", nil); err != nil {
		t.Error(err)
	}
	if _, err := p.Verify(t.Context(), "nosuch", nil); !errors.Is(err, ErrUnknownProjection) {
		t.Error(err)
	}
}

// alarms passes on what is logged as an error.
type alarms struct {
	slog.Handler
	mu   *sync.Mutex
	told *strings.Builder
}

func (a alarms) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (a alarms) WithAttrs([]slog.Attr) slog.Handler           { return a }
func (a alarms) Handle(_ context.Context, r slog.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told.WriteString(r.Message)
	r.Attrs(func(at slog.Attr) bool { fmt.Fprint(a.told, " ", at); return true })
	return nil
}

// Two processes have a schedule; what is spoiled is found by itself, told once a round, and told no more when it is mended.
func TestVerifyOnSchedule(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	world := projectionstest.NewWorld(t, store, tenant, 1, 1)
	c := world.NewCustomer("n")
	ensure(t, ledgers(t, store, one))
	told := alarms{mu: &sync.Mutex{}, told: &strings.Builder{}}
	for range 2 {
		p, err := New(Config{Store: store, Definitions: []Definition{ledgerOf(one)}, Sweep: 20 * time.Millisecond, VerifyEvery: 50 * time.Millisecond, Log: slog.New(told)})
		if err != nil {
			t.Fatal(err)
		}
		start(t, p)
	}
	reader := ledgers(t, store, one)
	await(t, reader, world.Head())
	verified := func(differing int) {
		t.Helper()
		var last time.Time
		for rounds := 0; rounds < 2; time.Sleep(5 * time.Millisecond) {
			status, err := reader.Status(t.Context())
			if err != nil || t.Context().Err() != nil {
				t.Fatal(err)
			}
			for _, s := range status {
				if s.State == StatusLive && s.VerifiedAt != nil && s.VerifiedAt.After(last) && s.Differing == differing {
					last = *s.VerifiedAt
					rounds++
				}
			}
		}
	}
	verified(0)
	b, err := reader.Live(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	set := func(amount int) {
		t.Helper()
		if _, err := store.Pool().Exec(t.Context(), fmt.Sprintf(`update %s.entry set amount = $1`, b.Schema), amount); err != nil {
			t.Fatal(err)
		}
	}
	set(8)
	verified(1)
	told.mu.Lock()
	text := told.told.String()
	told.told.Reset()
	told.mu.Unlock()
	if !strings.Contains(text, "not what the log says table=entry") || !strings.Contains(text, c.ID.String()) {
		t.Errorf("told: %s", text)
	}
	set(1)
	verified(0)
}

func TestVerifyIsDue(t *testing.T) {
	store := projectionstest.Store(t, tenant)
	p := ledgers(t, store, one)
	p.config.VerifyEvery = time.Hour
	ensure(t, p)
	def := &p.config.Definitions[0]
	due := func() time.Duration {
		t.Helper()
		rest, err := p.untilDue(t.Context(), def)
		if err != nil {
			t.Fatal(err)
		}
		return rest.Round(time.Minute)
	}
	if rest := due(); rest != time.Hour {
		t.Errorf("a new build is due in %s", rest)
	}
	if _, err := store.Pool().Exec(t.Context(), `update projection_builds set created_at = now() - interval '3 hours'`); err != nil {
		t.Fatal(err)
	}
	if rest := due(); rest != -2*time.Hour {
		t.Errorf("an old build is due in %s", rest)
	}
	if _, err := p.Verify(t.Context(), "ledger", nil); err != nil {
		t.Fatal(err)
	}
	if rest := due(); rest != time.Hour {
		t.Errorf("a build that was just verified is due in %s", rest)
	}
}
