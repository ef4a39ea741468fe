package projector

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// reached remembers how far this process has brought each (build, tenant), and tells who waits.
type reached struct {
	mu sync.Mutex
	at map[place]*progress
}

type place struct {
	build  int64
	tenant string
}

type progress struct {
	position int64
	moved    chan struct{} // closed at the next move
}

func (r *reached) of(where place) *progress {
	if r.at == nil {
		r.at = map[place]*progress{}
	}
	g := r.at[where]
	if g == nil {
		g = &progress{moved: make(chan struct{})}
		r.at[where] = g
	}
	return g
}

// move says where a checkpoint is, as committed or as found: after a crash of the database it may be further back than it was.
func (r *reached) move(where place, position int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.of(where)
	if g.position == position {
		return
	}
	g.position = position
	close(g.moved)
	g.moved = make(chan struct{})
}

// look returns the last position this process committed, and a channel that is closed at the next.
func (r *reached) look(where place) (int64, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.of(where)
	return g.position, g.moved
}

// WaitFor waits until the live build of a projection has folded a tenant's log up to a position, at most for timeout. It returns the
// position that is served and whether that is enough. ErrUnknownProjection, ErrNotBuilt.
//
// A process that feeds the tenant itself hears of it at once; any other asks the database, every 5 ms first and every 50 ms later.
func (p *Projector) WaitFor(ctx context.Context, name, tenant string, position int64, timeout time.Duration) (served int64, fresh bool, err error) {
	end := time.NewTimer(timeout)
	defer end.Stop()
	for pause := 5 * time.Millisecond; ; pause = min(pause*3/2, 50*time.Millisecond) {
		build, err := p.Live(ctx, name)
		if err != nil {
			return 0, false, err
		}
		mine, moved := p.served.look(place{build.ID, tenant})
		if mine >= position {
			return mine, true, nil
		}
		if served, err = p.checkpoint(ctx, build, tenant); err != nil {
			return 0, false, err
		}
		if served >= position {
			return served, true, nil
		}
		poll := time.NewTimer(pause)
		select {
		case <-moved:
		case <-poll.C:
		case <-end.C:
			poll.Stop()
			return served, false, nil
		case <-ctx.Done():
			poll.Stop()
			return served, false, fmt.Errorf("projector: wait: %w", context.Cause(ctx))
		}
		poll.Stop()
	}
}

// checkpoint reads how far a build has folded a tenant's log.
func (p *Projector) checkpoint(ctx context.Context, b Build, tenant string) (position int64, err error) {
	err = p.pool.QueryRow(ctx, `select coalesce((select position from projection_checkpoints where build = $1 and tenant = $2), 0)`, b.ID, tenant).Scan(&position)
	if err != nil {
		return 0, fmt.Errorf("projector: checkpoint: %w", err)
	}
	return position, nil
}
