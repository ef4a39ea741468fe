package commands_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/internal/pgtest"
)

func TestOnce(t *testing.T) {
	w := newWorld(t)
	by := w.once("k1", "body")
	first := w.mustBy(by, text("x", "m1", "hello"))
	head := w.head()
	again := w.mustBy(by, text("x", "m1", "hello"))
	if !again.Repeated || w.head() != head {
		t.Fatalf("repeated: %+v, and the log grew from %d to %d", again, head, w.head())
	}
	again.Repeated, again.First = false, first.First
	if again != first {
		t.Errorf("the second answer %+v is not the first %+v", again, first)
	}
	// Another process answers the same.
	w.center = newCenter(w.store)
	again = w.mustBy(by, text("x", "m1", "hello"))
	if again.Repeated, again.First = false, first.First; again != first {
		t.Errorf("another process answers %+v, not %+v", again, first)
	}
	w.refused(w.once("k1", "another body"), text("x", "m1", "hello"), commands.CodeKeyReused, "")
	// Another actor, or another door, has keys of its own.
	other := by
	other.Actor.ID = "a-2"
	if done := w.mustBy(other, text("x", "m1", "hello")); done.Repeated {
		t.Error("another actor got the first one's answer")
	}
	door := *by.Once
	door.Route = "elsewhere"
	other = by
	other.Once = &door
	if done := w.mustBy(other, text("x", "m1", "hello")); done.Repeated {
		t.Error("another door got the first one's answer")
	}
}

func TestOnceRefused(t *testing.T) {
	w := newWorld(t)
	by := w.once("k1", "body")
	w.refused(by, commands.RenameAssociation{Association: 3, Name: "x"}, domain.CodeNotFound, "association_id")
	w.must(commands.RegisterAssociation{Channel: "web", Account: "site", Name: "n"})
	// By now it would be accepted; the first answer stands.
	done := w.refused(by, commands.RenameAssociation{Association: 3, Name: "x"}, domain.CodeNotFound, "association_id")
	if !done.Repeated {
		t.Error("not marked as repeated")
	}
	w.must(commands.RenameAssociation{Association: 3, Name: "x"})

	// The words of a refusal depend on its arguments.
	by = w.once("k2", "body")
	_, err := commands.RenameAssociation{Association: 3, Name: longName()}.Run(t.Context(), w.center, by)
	_, again := commands.RenameAssociation{Association: 3, Name: longName()}.Run(t.Context(), w.center, by)
	var one, two *domain.Refusal
	if !errors.As(err, &one) || !errors.As(again, &two) {
		t.Fatalf("%v, %v", err, again)
	}
	if two.Args["rule"] != one.Args["rule"] || reflect.ValueOf(two.Args["max"]).String() != "50" {
		t.Errorf("arguments %v, first %v", two.Args, one.Args)
	}
}

func longName() string {
	name := make([]rune, 51)
	for i := range name {
		name[i] = '长'
	}
	return string(name)
}

func TestOnceWithoutChange(t *testing.T) {
	w := newWorld(t)
	by := w.once("k1", "body")
	done := w.appends(by, commands.SetWeekStart{Day: "monday"})
	w.must(commands.SetWeekStart{Day: "sunday"})
	again := w.appends(by, commands.SetWeekStart{Day: "monday"})
	if !again.Repeated || again.Position != done.Position {
		t.Errorf("again %+v, first %+v", again, done)
	}
}

func TestUnknownTenant(t *testing.T) {
	w := newWorld(t)
	by := w.by
	by.Tenant = "nobody"
	for _, cmd := range []command{text("x", "m1", "hello"), commands.CreateTag{Name: "x"}} {
		_, err := cmd.Run(t.Context(), w.center, by)
		var refusal *domain.Refusal
		if !errors.Is(err, eventstore.ErrUnknownTenant) && !errors.As(err, &refusal) {
			t.Errorf("%T for an unknown tenant: %v", cmd, err)
		}
	}
}

// deaf is a connection that can lose its hearing: what was written arrives, the answer is lost and the connection with it.
type deaf struct {
	net.Conn
	armed *atomic.Bool
	lost  *atomic.Int64
	wrote bool
}

func (d *deaf) Write(b []byte) (int, error) {
	if len(b) > 0 && d.armed.CompareAndSwap(true, false) {
		d.wrote = true
	}
	return d.Conn.Write(b)
}

func (d *deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if d.wrote {
		d.lost.Add(1)
		_ = d.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// When the answer of the database is lost after the commit, the command must neither be carried out twice nor fail.
func TestALostAnswer(t *testing.T) {
	var armed atomic.Bool
	var lost atomic.Int64
	config, err := pgxpool.ParseConfig(pgtest.DSN(t, eventstoretest.Template()))
	if err != nil {
		t.Fatal(err)
	}
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &deaf{Conn: conn, armed: &armed, lost: &lost}, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w := newWorldOn(t, pool)
	w.must(text("x", "m0", "hello"))
	head := w.head()
	for i := range 10 {
		// The id of the append is drawn after everything was read, so what is lost is the answer to the append.
		w.center = commands.NewCenter(w.store, time.Now, func() uuid.UUID {
			armed.Store(true)
			return uuid.Must(uuid.NewV7())
		})
		w.must(text("x", "m0", "warm")) // reads and appends with a lost answer
		by := w.once(uuid.NewString(), "body")
		done := w.mustBy(by, text("x", "m1", "hello"))
		again := w.mustBy(by, text("x", "m1", "hello"))
		if done.Repeated || !again.Repeated || again.Position != done.Position {
			t.Errorf("first %+v, again %+v", done, again)
		}
		if want := head + 2*int64(i+1); w.head() != want {
			t.Fatalf("the log is at %d, want %d", w.head(), want)
		}
	}
	if lost.Load() < 30 {
		t.Errorf("only %d answers were lost", lost.Load())
	}
}
