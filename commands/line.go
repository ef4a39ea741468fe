package commands

import (
	"context"
	"sync"
)

// lines lets commands of this process that have met on a stream go one after the other. Without them n commands on one stream
// would need n tries: every one that succeeds makes all others fail. Nobody waits who has not met a conflict.
type lines struct {
	mu   sync.Mutex
	open map[streamKey]*line
}

// line is the queue at one stream. Its turn holds one token.
type line struct {
	turn  chan struct{}
	users int // who waits or has the turn; the line goes with the last
}

func newLines() *lines { return &lines{open: map[streamKey]*line{}} }

// place is where a command stands: nowhere, or first in one line. Nobody stands in two, so no two wait for each other.
type place struct {
	lines *lines
	key   streamKey
	line  *line
}

// enter waits for the turn at a stream, after leaving any other line.
func (p *place) enter(ctx context.Context, key streamKey) error {
	if p.line != nil && p.key == key {
		return nil
	}
	p.leave()
	p.lines.mu.Lock()
	l := p.lines.open[key]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		p.lines.open[key] = l
	}
	l.users++
	p.lines.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		p.key, p.line = key, l
		return nil
	case <-ctx.Done():
		p.lines.forget(key, l)
		return context.Cause(ctx)
	}
}

// leave gives the turn to the next, if any.
func (p *place) leave() {
	if p.line == nil {
		return
	}
	<-p.line.turn
	p.lines.forget(p.key, p.line)
	p.line = nil
}

func (ls *lines) forget(key streamKey, l *line) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(ls.open, key)
	}
}
