package lease_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"customercenter/eventstore/lease"
	"customercenter/internal/pgtest"
)

func TestMain(m *testing.M) {
	if dsn := os.Getenv(memberEnv); dsn != "" {
		memberMain(dsn)
	}
	goleak.VerifyTestMain(m)
}

// Leases need no tables.
var template = pgtest.Template{Name: "empty"}

func TestPartitionsAreSpreadEvenlyAsMembersComeAndGo(t *testing.T) {
	pool, b := pgtest.New(t, template), newBoard(t)
	group := func(member string) lease.Group {
		return lease.Group{Pool: pool, Name: "spread", Partitions: 8, Run: b.work(member)}
	}
	stopA := start(t, group("a"))
	b.await("a:8")
	stopB := start(t, group("b"))
	b.await("a:4 b:4")
	stopC := start(t, group("c"))
	b.await("a:3 b:3 c:2")
	if n := members(t, pool, "spread"); n != 3 {
		t.Errorf("%d members, want 3", n)
	}
	stopA()
	b.await("b:4 c:4")
	stopC()
	b.await("b:8")
	stopB()
	b.await("")
	if n := members(t, pool, "spread"); n != 0 {
		t.Errorf("%d members, want none", n)
	}
}

func TestMoreMembersThanPartitions(t *testing.T) {
	pool, b := pgtest.New(t, template), newBoard(t)
	var stops []func()
	for _, m := range []string{"a", "b", "c"} {
		stops = append(stops, start(t, lease.Group{Pool: pool, Name: "one", Partitions: 1, Run: b.work(m)}))
		awaitMembers(t, pool, "one", len(stops))
		b.await("a:1")
	}
	stops[0]()
	b.await("b:1") // the next oldest
}

func TestGroupsDoNotTouchEachOther(t *testing.T) {
	pool, b, c := pgtest.New(t, template), newBoard(t), newBoard(t)
	start(t, lease.Group{Pool: pool, Name: "relay", Partitions: 1, Run: b.work("a")})
	stop := start(t, lease.Group{Pool: pool, Name: "projector", Partitions: 16, Run: c.work("a")})
	b.await("a:1")
	c.await("a:16")
	stop()
	c.await("")
	b.await("a:1")
}

func TestALostConnectionEndsEveryRunAndOthersTakeOver(t *testing.T) {
	pool, b := pgtest.New(t, template), newBoard(t)
	start(t, lease.Group{Pool: pool, Name: "cut", Partitions: 4, Run: b.work("a")})
	b.await("a:4")
	var pid int
	if err := pool.QueryRow(t.Context(), `select pid from pg_stat_activity where application_name = 'customercenter lease cut'
		and datname = current_database()`).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	start(t, lease.Group{Pool: pool, Name: "cut", Partitions: 4, Run: b.work("b")})
	b.await("a:2 b:2")
	// The board accepts no overlap, although the locks are free at once: a tick passes before anybody takes them, and the
	// cut is noticed without a tick.
	var gone bool
	if err := pool.QueryRow(t.Context(), `select pg_terminate_backend($1)`, pid).Scan(&gone); err != nil || !gone {
		t.Fatal("the connection was not cut", err)
	}
	end := time.After(patience)
	for cut := false; ; {
		owners, changed := b.look()
		s := shares(owners)
		cut = cut || !strings.Contains(s, "a:")
		if cut && s == "a:2 b:2" {
			break // it came back, as a newer member
		}
		select {
		case <-changed:
		case <-end:
			t.Fatalf("shares are %q", s)
		}
	}
}

// Where clocks matter, a process whose clock is wrong takes nothing from others, and nothing at all.
func TestWhoseClockIsWrongTakesNoPart(t *testing.T) {
	pool, b := pgtest.New(t, template), newBoard(t)
	wrong := lease.Group{Pool: pool, Name: "clocks", Partitions: 4, Clocks: time.Nanosecond, Run: b.work("wrong")} // no two clocks are so near
	right := lease.Group{Pool: pool, Name: "clocks", Partitions: 4, Clocks: time.Minute, Run: b.work("right")}
	start(t, wrong)
	start(t, right)
	b.await("right:4")
	if n := members(t, pool, "clocks"); n != 1 {
		t.Errorf("%d members, want 1", n)
	}
}

func TestAPartitionIsKeptUntilItsRunHasEnded(t *testing.T) {
	pool, b := pgtest.New(t, template), newBoard(t)
	const freeze = 2 * time.Second
	asked, release := make(chan struct{}), make(chan struct{})
	start(t, lease.Group{Pool: pool, Name: "slow", Partitions: 2, Every: 20 * time.Millisecond, Freeze: freeze,
		Run: func(ctx context.Context, partition int) error {
			b.on(partition, "a")
			defer b.off(partition)
			<-ctx.Done()
			if partition == 1 {
				select {
				case <-asked:
				default:
					close(asked)
				}
				<-release
			}
			return nil
		}})
	b.await("a:2")
	start(t, lease.Group{Pool: pool, Name: "slow", Partitions: 2, Every: 20 * time.Millisecond, Freeze: freeze, Run: b.work("b")})
	<-asked
	// Longer than the server waits for a silent member: the first must keep talking to it while its run takes its time.
	_, changed := b.look()
	select {
	case <-changed:
		owners, _ := b.look()
		t.Errorf("the partition moved: %q", shares(owners))
	case <-time.After(freeze * 3 / 2):
	}
	close(release)
	b.await("a:1 b:1")
}

func TestARunThatFailsIsStartedAgainAndTheLeaseIsKept(t *testing.T) {
	pool := pgtest.New(t, template)
	var calls atomic.Int32
	started, steady := make(chan struct{}), make(chan struct{})
	start(t, lease.Group{Pool: pool, Name: "faults", Partitions: 1, Run: func(ctx context.Context, _ int) error {
		switch calls.Add(1) {
		case 1:
			close(started)
			return errors.New("broken")
		case 2:
			panic("very broken")
		case 3:
			var none map[string]int
			//lint:ignore SA5000 the panic of the runtime is what is wanted
			none["x"]++
		case 4:
			return nil // too early
		}
		close(steady)
		<-ctx.Done()
		return nil
	}})
	select {
	case <-started:
	case <-time.After(patience):
		t.Fatal("nothing runs")
	}
	// Another member sees the lock held all the time, so it never gets to run.
	start(t, lease.Group{Pool: pool, Name: "faults", Partitions: 1, Run: func(ctx context.Context, _ int) error {
		select {
		case <-steady: // the end of the test
		default:
			t.Error("the lease was given up")
		}
		<-ctx.Done()
		return nil
	}})
	select {
	case <-steady:
	case <-time.After(patience):
		t.Fatalf("%d calls, want 5", calls.Load())
	}
}

func TestAGroupThatIsDescribedWronglyIsRefused(t *testing.T) {
	pool := pgtest.New(t, template)
	run := func(context.Context, int) error { return nil }
	for name, g := range map[string]lease.Group{
		"no pool":       {Name: "x", Partitions: 1, Run: run},
		"no name":       {Pool: pool, Partitions: 1, Run: run},
		"no partitions": {Pool: pool, Name: "x", Run: run},
		"no run":        {Pool: pool, Name: "x", Partitions: 1},
		"short freeze":  {Pool: pool, Name: "x", Partitions: 1, Run: run, Every: time.Second, Freeze: 2 * time.Second},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := g.Loop(ctx); err == nil || ctx.Err() != nil {
			t.Errorf("%s: %v, want an error at once", name, err)
		}
		cancel()
	}
}
