package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// allTurns is how many requests of all tenants a process works on at the same time: fewer than it has connections to the database, which its
// other parts need, too.
const allTurns = 24

// A tenant that has more requests waiting than it has turns is a crowd. While others ask, too, it has only a part of its turns: all of them together would keep the
// processors busy, for which the others' requests would stand in line.
const (
	crowdPart = 4           // one in so many turns
	othersFor = time.Second // others ask if one of them did so long ago at most
)

// turns let a process work on only so many requests of a tenant at the same time, and on so many of all. The others wait: of a tenant, the one
// that came first goes on first, and tenants take turns, so that one who asks for much waits for itself and holds up nobody else. It is safe for
// concurrent use.
type turns struct {
	each, all int // 0: any number

	mu      sync.Mutex
	busy    int
	of      map[string]*queue // of the tenants that have anything under way
	waiting []*queue          // of those that have somebody waiting; whose turn is next comes first
	last    came              // the last request
	other   came              // the last one of another tenant
}

// came is when a request of a tenant came.
type came struct {
	tenant string
	at     time.Time
}

// queue is what a tenant has under way.
type queue struct {
	tenant  string
	busy    int
	waiting []chan struct{} // closed when it is their turn
}

// take waits for a turn of the tenant. An error is that of the context; then there is nothing to give back.
func (t *turns) take(ctx context.Context, tenant string) error {
	if t.each == 0 {
		return nil
	}
	t.mu.Lock()
	q := t.of[tenant]
	if q == nil {
		if t.of == nil {
			t.of = map[string]*queue{}
		}
		q = &queue{tenant: tenant}
		t.of[tenant] = q
	}
	if t.last.tenant != tenant {
		t.other = t.last
	}
	t.last = came{tenant, time.Now()}
	mine := make(chan struct{})
	if q.waiting = append(q.waiting, mine); len(q.waiting) == 1 {
		t.waiting = append(t.waiting, q)
	}
	t.deal()
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(q.waiting, mine)
	if i < 0 { // it was let in at the same moment
		t.back(tenant)
		return ctx.Err()
	}
	if q.waiting = slices.Delete(q.waiting, i, i+1); len(q.waiting) == 0 {
		t.waiting = slices.DeleteFunc(t.waiting, func(other *queue) bool { return other == q })
	}
	t.forget(tenant)
	return ctx.Err()
}

// give gives a turn of the tenant back.
func (t *turns) give(tenant string) {
	if t.each == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.back(tenant)
}

func (t *turns) back(tenant string) {
	t.busy--
	t.of[tenant].busy--
	t.deal()
	t.forget(tenant)
}

// deal lets in all for whom there is room.
func (t *turns) deal() {
	for i := 0; i < len(t.waiting) && t.busy < t.all; {
		q := t.waiting[i]
		if q.busy >= t.most(q) {
			i++
			continue
		}
		t.busy++
		q.busy++
		close(q.waiting[0])
		q.waiting = q.waiting[1:]
		t.waiting = slices.Delete(t.waiting, i, i+1)
		if len(q.waiting) > 0 {
			t.waiting = append(t.waiting, q)
		}
	}
}

// most is how many requests of a tenant are worked on at the same time just now.
func (t *turns) most(q *queue) int {
	if len(q.waiting) <= t.each {
		return t.each
	}
	other := t.last
	if other.tenant == q.tenant {
		other = t.other
	}
	if other.at.IsZero() || time.Since(other.at) > othersFor {
		return t.each
	}
	return max(1, t.each/crowdPart)
}

func (t *turns) forget(tenant string) {
	if q := t.of[tenant]; q.busy == 0 && len(q.waiting) == 0 {
		delete(t.of, tenant)
	}
}

// count returns how many requests are worked on, and how many wait for that.
func (t *turns) count() (busy, waiting int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, q := range t.waiting {
		waiting += len(q.waiting)
	}
	return t.busy, waiting
}

// turn is that of one request, which has one at a time, or none. The zero turn is never waited for. One goroutine uses it.
type turn struct {
	of     *turns
	tenant string
	held   bool
}

func (t *turn) take(ctx context.Context) (err error) {
	if t.of != nil && !t.held {
		err = t.of.take(ctx, t.tenant)
		t.held = err == nil
	}
	return err
}

func (t *turn) give() {
	if t.held {
		t.of.give(t.tenant)
		t.held = false
	}
}

// during works in a turn, for which it waits.
func (t *turn) during(ctx context.Context, work func() error) error {
	if err := t.take(ctx); err != nil {
		return err
	}
	defer t.give()
	return work()
}

// aside lets others have the turn while something is waited for, if there is one.
func (t *turn) aside(ctx context.Context, wait func() error) error {
	if !t.held {
		return wait()
	}
	t.give()
	if err := wait(); err != nil {
		return err
	}
	return t.take(ctx)
}

// pass lets those go first who wait, in the middle of long work.
func (t *turn) pass(ctx context.Context) error { return t.aside(ctx, func() error { return nil }) }

// line has a request wait for its turn. It is given back when the operation has returned; of answers that are streamed, each page waits anew.
func (s *server) line(ctx huma.Context, next func(huma.Context)) {
	about := requestOf(ctx.Context())
	if about.who.Role == "" { // open to all
		next(ctx)
		return
	}
	about.turn = turn{of: &s.turns, tenant: about.who.Tenant}
	began := time.Now()
	patient, cancel := context.WithTimeout(ctx.Context(), s.bounds.turn)
	err := about.turn.take(patient)
	cancel()
	s.metrics.waited.Observe(time.Since(began).Seconds())
	if err != nil {
		_, w := humachi.Unwrap(ctx)
		s.metrics.refuse(limitTurns)
		writeProblem(w, tooMany(about.language))
		return
	}
	defer about.turn.give()
	next(ctx)
}
