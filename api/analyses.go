package api

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"customercenter/commands"
	"customercenter/domain"
	"customercenter/domain/job"
	"customercenter/projections"
)

// analyses are the looks at history that this process works on, and those that it keeps. They are no part of the log, as nothing comes of them, and end
// with the process. It is safe for concurrent use.
type analyses struct {
	mu  sync.Mutex
	all []*analysis // the oldest first
}

const (
	analysesAtOnce = 2         // in a process
	analysesKept   = 100       // that have ended, in a process
	analysesBytes  = 1 << 30   // of what these found, on the disk
	analysisKept   = time.Hour // once it has ended
)

// begin adds one. Refused: ALREADY_RUNNING if somebody else's works for the tenant, commands.ErrBusy if as many work as may; one's own of the tenant gives
// way.
func (as *analyses) begin(a *analysis) error {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.forget()
	var own *analysis
	running := 0
	for _, other := range as.all {
		switch {
		case !other.state().finished.IsZero():
		case other.tenant != a.tenant:
			running++
		case other.by != a.by:
			return domain.Refuse(codeRunning)
		default:
			own = other
		}
	}
	if running >= analysesAtOnce {
		return commands.ErrBusy
	}
	if own != nil {
		own.cancel()
	}
	as.all = append(as.all, a)
	return nil
}

// find is one of a tenant's. Refused: WHATIF_GONE.
func (as *analyses) find(tenant string, id uuid.UUID) (*analysis, error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.forget()
	i := slices.IndexFunc(as.all, func(a *analysis) bool { return a.id == id && a.tenant == tenant })
	if i < 0 {
		return nil, domain.Refuse(codeWhatIfGone)
	}
	return as.all[i], nil
}

// ended takes in what became of one, and sees to it that it is kept no longer than it should be, whether anybody asks or not: what it found may be
// about people.
func (as *analyses) ended(ctx context.Context, a *analysis, told projections.Hindsight, kept *spool, err error) {
	a.ended(ctx, told, kept, err)
	as.tidy()
	time.AfterFunc(analysisKept, as.tidy)
}

func (as *analyses) tidy() {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.forget()
}

// forget drops those that were kept long enough, and the oldest of too many, or of those that found too much. Their files go with the last one who
// reads them.
func (as *analyses) forget() {
	ended := func(a *analysis) bool { return !a.state().finished.IsZero() }
	as.all = slices.DeleteFunc(as.all, func(a *analysis) bool { return ended(a) && time.Since(a.state().finished) >= analysisKept })
	for len(as.all) > analysesKept || as.bytes() > analysesBytes {
		i := slices.IndexFunc(as.all, ended)
		if i < 0 {
			return
		}
		as.all = slices.Delete(as.all, i, i+1)
	}
}

// bytes is how much those that have ended keep on the disk.
func (as *analyses) bytes() (n int64) {
	for _, a := range as.all {
		if kept := a.state().kept; kept != nil {
			n += kept.size
		}
	}
	return n
}

// analysis is one look at history. It is safe for concurrent use.
type analysis struct {
	id     uuid.UUID
	tenant string
	by     projections.Actor
	began  time.Time
	asked  projections.WhatIfQuery

	mu   sync.Mutex
	now  analysisState
	stop context.CancelFunc // nil: the work has not begun
}

// analysisState is how far an analysis is.
type analysisState struct {
	status   job.Status
	progress projections.Progress
	finished time.Time // zero: not yet
	code     string    // why it failed
	args     map[string]any
	told     projections.Hindsight
	kept     *spool // what was found; nil unless it is completed
}

func (a *analysis) state() analysisState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

// working returns the context of the work, which a cancellation ends.
func (a *analysis) working(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stop = cancel
	if !a.now.finished.IsZero() {
		cancel()
	}
	return ctx, cancel
}

// come takes in how far it is.
func (a *analysis) come(done, total int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now.progress = projections.Progress{Done: done, Total: total}
}

// cancel ends it, unless it has ended.
func (a *analysis) cancel() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.now.finished.IsZero() {
		return
	}
	a.now.status, a.now.finished = job.Canceled, time.Now()
	if a.stop != nil {
		a.stop()
	}
}

// ended takes in what became of the work.
func (a *analysis) ended(ctx context.Context, told projections.Hindsight, kept *spool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var refusal *domain.Refusal
	switch {
	case !a.now.finished.IsZero(): // it was canceled
		return
	case err == nil:
		a.now.status, a.now.told, a.now.kept = job.Completed, told, kept
	case errors.As(err, &refusal):
		a.now.status, a.now.code, a.now.args = job.Failed, refusal.Code, refusal.Args
	default:
		a.now.status, a.now.code = job.Failed, problemOf(ctx, err).Code
	}
	a.now.finished = time.Now()
}
