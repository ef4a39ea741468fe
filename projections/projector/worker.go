package projector

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"time"
)

// partitions is how many parts the tenants are spread over. All processes must agree on it.
const partitions = 16

func partitionOf(tenant string) int {
	h := fnv.New32a()
	h.Write([]byte(tenant))
	return int(h.Sum32() % partitions)
}

// worker feeds all builds of one projection for one partition of the tenants, one batch of each that has something new in turn.
type worker struct {
	p         *Projector
	def       *Definition
	partition int

	builds  []Build
	feeders map[place]*feeding
}

// feeding is a feeder and when it is its turn again.
type feeding struct {
	*feeder
	seen    int64 // where the log ended when it was last read to its end; -1 if it was not
	failed  int   // times in a row
	next    time.Time
	used    time.Time
	ahead   *ahead
	longest int // that the next stretch may be, in events
}

// ahead is the reading of the next stretch while the last one is folded.
type ahead struct {
	after int64
	done  chan struct{}
	s     stretch
	err   error
}

// work runs until the context ends.
func (p *Projector) work(ctx context.Context, def *Definition, partition int) error {
	wake, end := p.awaken(partition)
	defer end()
	w := &worker{p: p, def: def, partition: partition, feeders: map[place]*feeding{}}
	defer w.settle()
	for ctx.Err() == nil {
		if err := w.lookAtBuilds(ctx); err != nil {
			if ctx.Err() == nil {
				p.log.Warn("projector: builds cannot be looked at", "projection", def.Name, "error", err)
			}
			w.builds = nil
		}
		more := w.round(ctx)
		if more {
			continue
		}
		idle := time.NewTimer(w.pause())
		select {
		case <-ctx.Done():
		case <-wake:
		case <-idle.C:
		}
		idle.Stop()
	}
	return nil
}

// settle waits for readers that are under way.
func (w *worker) settle() {
	for _, f := range w.feeders {
		if f.ahead != nil {
			<-f.ahead.done
		}
	}
}

// pause is how long to wait when no bell rings: until somebody's turn comes again, or the builds are to be looked at.
func (w *worker) pause() time.Duration {
	pause := w.p.config.Sweep
	for _, f := range w.feeders {
		if wait := time.Until(f.next); wait > 0 {
			pause = min(pause, wait)
		} else if f.known && !f.tending.never {
			pause = min(pause, time.Until(f.tending.when()))
		}
	}
	return max(pause, time.Millisecond)
}

// lookAtBuilds reads which builds are to be fed, and forgets those that are gone and tenants that have gone quiet.
func (w *worker) lookAtBuilds(ctx context.Context) (err error) {
	if w.builds, err = w.p.fedBuilds(ctx, w.def); err != nil {
		return err
	}
	for at, f := range w.feeders {
		gone := !slices.ContainsFunc(w.builds, func(b Build) bool { return b.ID == at.build })
		if gone || time.Since(f.used) > time.Minute && f.ahead == nil {
			if f.ahead != nil {
				<-f.ahead.done
			}
			delete(w.feeders, at)
		}
	}
	return nil
}

// round gives every tenant with something new one batch, and reports whether one of them has more.
func (w *worker) round(ctx context.Context) (more bool) {
	heads := w.p.knownHeads(w.partition)
	for _, b := range w.builds {
		for tenant, head := range heads {
			if ctx.Err() != nil {
				return false
			}
			f := w.feeding(b, tenant)
			if time.Now().Before(f.next) {
				continue
			}
			again, err := w.turn(ctx, f, head)
			if err != nil {
				w.report(ctx, f, err)
			}
			more = more || again
		}
	}
	return more
}

// turn folds the next stretch of one tenant's log, if it is longer than it was, and does a piece of other work, if it is time: no more than
// one, so that events do not wait. It reports whether there may be more of either.
func (w *worker) turn(ctx context.Context, f *feeding, head int64) (more bool, err error) {
	if head > f.seen {
		if more, err = w.step(ctx, f); err != nil {
			f.seen = -1
			return false, err
		}
	}
	if f.known && f.tending.due(time.Now()) {
		f.used = time.Now()
		tended, err := f.tend(ctx, w.p.config.Watermark)
		if err != nil {
			f.seen = -1 // what is known of the checkpoint may be out of date
			return false, err
		}
		more = more || tended
	}
	f.failed = 0
	return more, nil
}

// feeding is who feeds a tenant's log to a build.
func (w *worker) feeding(b Build, tenant string) *feeding {
	at := place{b.ID, tenant}
	f := w.feeders[at]
	if f == nil {
		f = &feeding{feeder: w.p.newFeeder(w.def, b, tenant), seen: -1, used: time.Now(), longest: w.p.config.Batch}
		f.recent = w.p.recent
		f.committed = func(tenant string, position int64) { w.p.served.move(place{b.ID, tenant}, position) }
		w.feeders[at] = f
	}
	return f
}

// step folds the next stretch of one tenant's log and reports whether there may be more. What has been seen is what was read, whatever
// a bell said of the head: one that said too much costs an empty read now and then, until the sweep knows better.
func (w *worker) step(ctx context.Context, f *feeding) (more bool, err error) {
	f.used = time.Now()
	if err := f.open(ctx); err != nil {
		return false, err
	}
	s, err := w.next(ctx, f)
	if err != nil {
		return false, err
	}
	f.longest = w.p.config.Batch
	if s.full {
		f.longest = min(max(2*int(s.to-f.position), w.p.config.Batch), farBehind*w.p.config.Batch)
		w.readAhead(ctx, f, s.to)
	}
	began := time.Now()
	if err := w.applyInTurn(ctx, f, s); err != nil {
		return false, err
	}
	w.told(ctx, f, s, began)
	if !s.full {
		f.seen = f.position
		if len(s.events) >= great {
			f.next = time.Now().Add(min(time.Since(began), linger))
		}
	}
	if len(s.events) > 0 && !s.anew { // behind that it looks by itself
		f.stirred()
	}
	return s.full, nil
}

const (
	// great is how many events make a stretch of which few are folded at a time in a process: while an import is followed, who writes or asks is
	// not to stand in line with all read models.
	great = 100
	// After a great stretch, a tenant whose log was folded to its end rests as long as that took, up to linger: more is coming, most likely, and what
	// it costs to fold something at all is paid once for all that has come by then. Steady traffic does not lead there: a longer rest, or one after
	// smaller stretches, would make the next one great, and so on.
	linger = 100 * time.Millisecond
	// farBehind is how many times Batch a stretch may grow to while the log is longer than that, for the same reason.
	farBehind = 2
)

// applyInTurn folds a stretch; a great one when it is its turn.
func (w *worker) applyInTurn(ctx context.Context, f *feeding, s stretch) error {
	if len(s.events) >= great {
		select {
		case w.p.turns <- struct{}{}:
			defer func() { <-w.p.turns }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return f.apply(ctx, s)
}

// next is the stretch after the checkpoint, read ahead or read now.
func (w *worker) next(ctx context.Context, f *feeding) (stretch, error) {
	if a := f.ahead; a != nil {
		<-a.done
		f.ahead = nil
		if a.err == nil && a.after == f.position {
			return a.s, nil
		}
	}
	return f.read(ctx, f.position, f.longest)
}

func (w *worker) readAhead(ctx context.Context, f *feeding, after int64) {
	a := &ahead{after: after, done: make(chan struct{})}
	f.ahead = a
	longest := f.longest
	go func() {
		defer close(a.done)
		a.s, a.err = f.read(ctx, after, longest)
	}()
}

// report says what is wrong and puts the tenant off: shortly when somebody else was faster, longer and longer when it fails.
func (w *worker) report(ctx context.Context, f *feeding, err error) {
	if ctx.Err() != nil {
		return
	}
	log := w.p.log.With("projection", f.def.Name, "version", f.def.Version, "build", f.build.ID, "tenant", f.tenant, "position", f.position)
	if errors.Is(err, errFenced) {
		log.Debug("projector: the checkpoint was moved by somebody else")
		f.next = time.Now().Add(10 * time.Millisecond)
		return
	}
	f.failed++
	switch sqlState(err) {
	case "42P01", "3F000", "23503": // the tables, the schema or the build is gone: dropped, most likely
		w.p.fed.forget(w.def)
		if f.failed < 3 {
			f.next = time.Now().Add(50 * time.Millisecond)
			log.Debug("projector: the build may be gone", "error", err)
			return
		}
	}
	pause := min(time.Second<<min(f.failed-1, 6), time.Minute)
	var stopped *stoppedError
	switch {
	case errors.As(err, &stopped):
		log.Error("projector: stopped at an event that cannot be applied", "reason", stopped.reason)
	case transient(err):
		pause = min(50*time.Millisecond<<min(f.failed-1, 5), time.Second)
		log.Warn("projector: the database does not answer as it should", "error", err)
	default:
		log.Error("projector: cannot go on", "error", err)
	}
	f.next = time.Now().Add(pause)
}
