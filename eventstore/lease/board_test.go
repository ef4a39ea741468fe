package lease_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"customercenter/eventstore/lease"
)

const patience = 20 * time.Second

// board is where runs sign on and off; two of one partition at once are a failure of the test.
type board struct {
	t testing.TB

	mu      sync.Mutex
	owners  map[int]string // partition -> member
	changed chan struct{}  // closed at every change, and replaced
}

func newBoard(t testing.TB) *board {
	return &board{t: t, owners: map[int]string{}, changed: make(chan struct{})}
}

func (b *board) on(partition int, member string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if other, taken := b.owners[partition]; taken {
		b.t.Errorf("%s runs partition %d while %s does", member, partition, other)
	}
	b.owners[partition] = member
	b.change()
}

func (b *board) off(partition int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.owners, partition)
	b.change()
}

func (b *board) change() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) look() (map[int]string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.owners), b.changed
}

// shares counts the partitions by member, as "a:3 b:2".
func shares(owners map[int]string) string {
	counts := map[string]int{}
	for _, m := range owners {
		counts[m]++
	}
	var words []string
	for m, n := range counts {
		words = append(words, fmt.Sprintf("%s:%d", m, n))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// await waits until the shares are as wanted and says how long that took.
func (b *board) await(want string) time.Duration {
	b.t.Helper()
	began := time.Now()
	end := time.After(patience)
	for {
		owners, changed := b.look()
		if shares(owners) == want {
			return time.Since(began)
		}
		select {
		case <-changed:
		case <-end:
			b.t.Fatalf("shares are %q, want %q", shares(owners), want)
		}
	}
}

// work signs on, waits for the end, signs off.
func (b *board) work(member string) func(ctx context.Context, partition int) error {
	return func(ctx context.Context, partition int) error {
		b.on(partition, member)
		defer b.off(partition)
		<-ctx.Done()
		return ctx.Err()
	}
}

// start runs a group until the returned function is called, which waits, or the test ends.
func start(t testing.TB, g lease.Group) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := g.Loop(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func members(t testing.TB, pool *pgxpool.Pool, name string) int {
	t.Helper()
	n, err := lease.Members(t.Context(), pool, name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitMembers asks until so many take part. Postgres does not tell when somebody locks something.
func awaitMembers(t testing.TB, pool *pgxpool.Pool, name string, want int) {
	t.Helper()
	end := time.Now().Add(patience)
	for n := members(t, pool, name); n != want; n = members(t, pool, name) {
		if time.Now().After(end) {
			t.Fatalf("%d members, want %d", n, want)
		}
	}
}
