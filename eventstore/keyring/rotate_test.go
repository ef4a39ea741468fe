package keyring_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore"
	"customercenter/eventstore/eventstoretest"
	"customercenter/eventstore/keyring"
)

// rotatorEnv makes the test program a process that rotates, to be killed: its value is the address of the database. It takes a step for each line that it is given.
const rotatorEnv = "KEYRING_TEST_ROTATES"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(rotatorEnv); dsn != "" {
		if err := rotator(dsn); err != nil {
			fmt.Fprintln(os.Stderr, "rotator:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func rotator(dsn string) error {
	ctx := context.Background()
	pool, err := eventstore.Connect(ctx, dsn, 4)
	if err != nil {
		return err
	}
	master, err := keyring.NewMaster(secret(2), secret(1))
	if err != nil {
		return err
	}
	allowed := bufio.NewScanner(os.Stdin)
	_, err = keyring.New(pool, master).Rotate(ctx, func(done, total int64) {
		fmt.Println(done, total)
		allowed.Scan()
	})
	return err
}

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

type told struct {
	Text string `json:"text" personal:"true"`
}

func (told) EventType() string { return "test.told" }

// keyWorld is a system in which a master key is replaced.
type keyWorld struct {
	t    testing.TB
	pool *pgxpool.Pool

	mu      sync.Mutex
	written map[uuid.UUID]string
	deleted map[uuid.UUID]bool
	planted []uuid.UUID
	n       atomic.Int64
}

func newKeyWorld(t testing.TB) *keyWorld {
	return &keyWorld{t: t, pool: eventstoretest.Pool(t), written: map[uuid.UUID]string{}, deleted: map[uuid.UUID]bool{}}
}

func (w *keyWorld) store(keys *keyring.Keyring) *eventstore.Store {
	return eventstore.New(w.pool, eventstore.NewCodec(told{}), keys)
}

// process is one that says which master keys it has.
func (w *keyWorld) process(name string, keys ...byte) (*eventstore.Store, *keyring.Attendance) {
	w.t.Helper()
	ring := keyring.New(w.pool, master(w.t.(*testing.T), keys...))
	here, err := ring.Attend(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.store(ring), here
}

// plant inserts keys of customers of whom the log knows nothing.
func (w *keyWorld) plant(ring *keyring.Keyring, n int) {
	w.t.Helper()
	rows := make([][]any, n)
	for i := range rows {
		_, k := ring.Create("acme", uuid.New(), 1)
		rows[i] = []any{"acme", k.Customer, k.Generation, k.Master, k.Bytes}
		w.planted = append(w.planted, k.Customer)
	}
	if _, err := w.pool.CopyFrom(w.t.Context(), pgx.Identifier{"customer_keys"}, []string{"tenant", "customer", "generation", "master", "wrapped"}, pgx.CopyFromRows(rows)); err != nil {
		w.t.Fatal(err)
	}
}

// comes has a customer appear through a process.
func (w *keyWorld) comes(ctx context.Context, s *eventstore.Store) error {
	id, text := uuid.New(), fmt.Sprint("said ", w.n.Add(1))
	_, err := s.Append(ctx, eventstore.Append{Tenant: "acme", ID: uuid.New(), Now: time.Now(), Actor: eventstore.Actor{Kind: "system", ID: "test"},
		NewCustomers: []eventstore.NewCustomer{{ID: id, Generation: 1}},
		Streams:      []eventstore.StreamAppend{{Stream: "customer-" + id.String(), Events: []eventstore.NewEvent{{Payload: told{text}, Customer: id}}}}})
	if err == nil {
		w.mu.Lock()
		w.written[id] = text
		w.mu.Unlock()
	}
	return err
}

// unreadable counts the customers of whom something was written that cannot be read with these master keys, by a process that remembers none. It looks at
// no more than most of them.
func (w *keyWorld) unreadable(ctx context.Context, most int, keys ...byte) (n int, err error) {
	written := map[uuid.UUID]string{}
	w.mu.Lock()
	for id, text := range w.written { // in any order
		if written[id] = text; len(written) == most {
			break
		}
	}
	w.mu.Unlock()
	s := w.store(keyring.New(w.pool, master(w.t.(*testing.T), keys...)))
	for id, text := range written {
		events, err := s.ReadStream(ctx, "acme", "customer-"+id.String(), 0, 10)
		if err != nil {
			return 0, err
		}
		decoded, err := s.Open(ctx, events)
		if err != nil || len(decoded) != 1 || decoded[0].Payload.(told).Text != text {
			n++
		}
	}
	return n, nil
}

// traffic writes through processes, erases, and reads all the time, until it is halted.
func (w *keyWorld) traffic(stores ...*eventstore.Store) (halt func()) {
	ctx := w.t.Context()
	stop := make(chan struct{})
	var all sync.WaitGroup
	loop := func(do func(i int) error) {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := do(i); err != nil {
					w.t.Error(err)
					return
				}
			}
		})
	}
	for _, s := range stores {
		for range 2 {
			loop(func(int) error { return w.comes(ctx, s) })
		}
	}
	loop(func(i int) error {
		id := w.planted[i%(len(w.planted)/3)*3] // most of them stay
		_, err := w.pool.Exec(ctx, `delete from customer_keys where customer = $1`, id)
		w.mu.Lock()
		w.deleted[id] = true
		w.mu.Unlock()
		return err
	})
	loop(func(int) error {
		n, err := w.unreadable(ctx, 50, 1, 2)
		if n > 0 {
			return fmt.Errorf("%d customers cannot be read", n)
		}
		return err
	})
	halt = sync.OnceFunc(func() { close(stop); all.Wait() })
	w.t.Cleanup(halt)
	return halt
}

// killed starts a process that rotates, lets it take some steps and kills it: between two steps, or in the middle of the next.
func (w *keyWorld) killed(steps int, between bool) {
	w.t.Helper()
	program, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), rotatorEnv+"="+w.pool.Config().ConnString())
	var complaint strings.Builder
	cmd.Stderr = &complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	told := bufio.NewScanner(out)
	for step := range steps {
		if !told.Scan() {
			w.t.Fatalf("it ended before step %d: %s", step, &complaint)
		}
		if step == steps-1 && between {
			break
		}
		if _, err := io.WriteString(in, "\n"); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := errors.Join(cmd.Process.Kill(), in.Close()); err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		w.t.Error("it came to its end before it was killed")
	}
}

func (w *keyWorld) masters(ring *keyring.Keyring) []keyring.MasterKey {
	w.t.Helper()
	all, err := ring.Masters(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// The master key is replaced while several processes write, erase and read. Nothing is refused and everything can be read, at any time; whoever rotates is killed, and twice at once
// goes on; in the end nothing is wrapped by the old one.
func TestTheMasterKeyIsReplacedUnderTraffic(t *testing.T) {
	ctx, w := t.Context(), newKeyWorld(t)
	old, oldHere := w.process("old", 1)
	if err := old.CreateTenant(ctx, "acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	secretBefore, err := old.Secret(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	w.plant(keyring.New(w.pool, master(t, 1)), 20_000)
	both, bothHere := w.process("both", 2, 1)
	defer bothHere.Leave()
	halt := w.traffic(old, both) // the old one reads what the other writes
	rotating := func() *keyring.Keyring { return keyring.New(w.pool, master(t, 2, 1)) }
	nothing := func(int64, int64) {}

	without := (*keyring.HoldersError)(nil)
	if _, err := rotating().Rotate(ctx, nothing); !errors.As(err, &without) || len(without.Without) != 1 || without.Without[0].Name != "old" {
		t.Fatalf("while a process has the old key only: %v", err)
	}
	if n, err := w.unreadable(ctx, 50, 1); n > 0 || err != nil {
		t.Fatalf("the process with the old key cannot read %d customers: %v", n, err)
	}
	halt()
	oldHere.Leave()
	second, secondHere := w.process("second", 1, 2)
	defer secondHere.Leave()
	halt = w.traffic(second, both)

	for _, between := range []bool{true, false, true} {
		w.killed(2+rand.IntN(2), between)
		if older, err := rotating().Older(ctx); err != nil || older == 0 {
			t.Fatalf("after it was killed in between: %d by the older key, %v", older, err)
		}
		if _, err := keyring.New(w.pool, master(t, 2)).Attend(ctx, "hasty"); !errors.Is(err, keyring.ErrMaster) {
			t.Fatalf("a process without the old key, in between: %v", err)
		}
		if _, err := keyring.New(w.pool, master(t, 1)).Attend(ctx, "late"); !errors.Is(err, keyring.ErrMaster) {
			t.Fatalf("a process without the new key, in between: %v", err)
		}
	}
	var rotations sync.WaitGroup
	for range 2 {
		rotations.Go(func() {
			if _, err := rotating().Rotate(ctx, nothing); err != nil {
				t.Error(err)
			}
		})
	}
	rotations.Wait()
	if older, err := rotating().Older(ctx); older != 0 || err != nil {
		t.Errorf("%d by the older key, while traffic goes on: %v", older, err)
	}
	// A process that has not heard of it wraps by the old one, is told, and wraps anew; one that does not have the new one writes nothing.
	if err := w.comes(ctx, w.store(keyring.New(w.pool, master(t, 1, 2)))); err != nil {
		t.Error(err)
	}
	before := w.n.Load()
	if err := w.comes(ctx, w.store(keyring.New(w.pool, master(t, 1)))); !errors.Is(err, keyring.ErrMaster) {
		t.Errorf("a process that has the old key only: %v", err)
	}
	halt()

	masters := w.masters(rotating())
	if len(masters) != 2 || !masters[0].Wraps || masters[0].Secrets != 1 || masters[1].Retired == nil || masters[1].Keys+masters[1].Secrets != 0 {
		t.Errorf("in the end: %+v", masters)
	}
	var keys, left int64
	if err := w.pool.QueryRow(ctx, `select count(*), count(*) filter (where customer = any($1)) from customer_keys`, slices.Collect(maps.Keys(w.deleted))).Scan(&keys, &left); err != nil {
		t.Fatal(err)
	}
	if want := int64(len(w.planted) - len(w.deleted) + len(w.written)); keys != want || left != 0 || keys != masters[0].Keys {
		t.Errorf("%d keys, want %d; %d of those that were erased", keys, want, left)
	}
	if len(w.written) < 20 || before < 20 || len(w.deleted) < 20 {
		t.Errorf("there was hardly any traffic: %d written, %d erased", len(w.written), len(w.deleted))
	}
	if n, err := w.unreadable(ctx, 500, 2); n > 0 || err != nil {
		t.Errorf("with the new key alone %d customers cannot be read: %v", n, err)
	}
	some := w.planted[:1000]
	there := slices.DeleteFunc(slices.Clone(some), func(id uuid.UUID) bool { _, gone := w.deleted[id]; return gone })
	if found, err := keyring.New(w.pool, master(t, 2)).Of(ctx, "acme", some); err != nil || len(found) != len(there) {
		t.Errorf("%d keys of %d customers: %v", len(found), len(there), err)
	}
	third, thirdHere := w.process("third", 2)
	defer thirdHere.Leave()
	if secretNow, err := third.Secret(ctx, "acme"); err != nil || !bytes.Equal(secretNow, secretBefore) {
		t.Errorf("the tenant's secret, from which ids are made, is another one: %v", err)
	}
	missing := (*keyring.MissingError)(nil)
	if _, err := keyring.New(w.pool, master(t, 1)).Attend(ctx, "old"); !errors.As(err, &missing) || missing.Replaced == "" || missing.ID != missing.Wraps {
		t.Errorf("a process with the old key, afterwards: %v", err)
	}
	if _, err := keyring.New(w.pool, master(t, 1, 2)).Rotate(ctx, nothing); !errors.Is(err, keyring.ErrRetired) {
		t.Errorf("back to the old key: %v", err)
	}
	if done, err := keyring.New(w.pool, master(t, 2)).Rotate(ctx, nothing); err != nil || done.Keys != 0 || len(done.Retired) != 0 {
		t.Errorf("once more: %+v %v", done, err)
	}
}

// Two keys are to replace the first: the one that began later wins, and the other rotation ends instead of undoing what that does.
func TestTheLaterOfTwoRotationsWins(t *testing.T) {
	ctx, w := t.Context(), newKeyWorld(t)
	first := keyring.New(w.pool, master(t, 1))
	if err := w.store(first).CreateTenant(ctx, "acme", "Acme"); err != nil {
		t.Fatal(err)
	}
	w.plant(first, 3000)
	on, done := make(chan struct{}), make(chan error, 1)
	begun := make(chan struct{}, 10)
	go func() {
		_, err := keyring.New(w.pool, master(t, 2, 1)).Rotate(ctx, func(int64, int64) { begun <- struct{}{}; <-on })
		done <- err
	}()
	<-begun
	third := keyring.New(w.pool, master(t, 3, 2, 1))
	if d, err := third.Rotate(ctx, func(int64, int64) {}); err != nil || len(d.Retired) != 2 {
		t.Errorf("%+v %v", d, err)
	}
	close(on)
	if err := <-done; !errors.Is(err, keyring.ErrOtherRotation) {
		t.Errorf("the rotation that was overtaken: %v", err)
	}
	if m := w.masters(third); len(m) != 3 || m[0].Keys != 3000 || m[0].Secrets != 1 {
		t.Errorf("%+v", m)
	}
}

// Whoever has inserted a key before the new one wraps, and commits late, is waited for.
func TestARotationWaitsForWhoIsInserting(t *testing.T) {
	ctx, w := t.Context(), newKeyWorld(t)
	first := keyring.New(w.pool, master(t, 1))
	if err := first.Check(ctx); err != nil {
		t.Fatal(err)
	}
	late, err := w.pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = late.Rollback(ctx) }()
	_, k := first.Create("acme", uuid.New(), 1)
	const insert = `insert into customer_keys (tenant, customer, generation, master, wrapped) values ('acme', $1, $2, $3, $4)`
	if _, err := late.Exec(ctx, insert, k.Customer, k.Generation, k.Master, k.Bytes); err != nil {
		t.Fatal(err)
	}
	second, done := keyring.New(w.pool, master(t, 2, 1)), make(chan error, 1)
	go func() {
		_, err := second.Rotate(ctx, func(int64, int64) {})
		done <- err
	}()
	for id := ""; id != master(t, 2).Given()[0]; time.Sleep(time.Millisecond) {
		if err := w.pool.QueryRow(ctx, `select id from master_keys where wraps`).Scan(&id); err != nil {
			t.Fatal(err)
		}
	}
	_, refused := first.Create("acme", uuid.New(), 1)
	if _, err := w.pool.Exec(ctx, insert, refused.Customer, refused.Generation, refused.Master, refused.Bytes); !keyring.Outdated(err) {
		t.Errorf("a key by the older master key was inserted: %v", err)
	}
	select {
	case err := <-done:
		t.Errorf("the rotation did not wait: %v", err)
	default:
	}
	if err := late.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if m := w.masters(second); m[0].Keys != 1 || m[1].Keys != 0 {
		t.Errorf("%+v", m)
	}
}
