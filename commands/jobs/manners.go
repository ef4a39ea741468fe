package jobs

import (
	"sync"
	"time"

	"customercenter/commands"
)

// manners keep a job from standing in the way of people: whoever writes to the same tenant waits behind each of its appends, and everybody for the
// processor. While somebody else writes, its appends are smaller, and it rests between them: it takes some five times as long then. The jobs of a
// tenant have theirs in common: they take turns, and are not others to each other.
type manners struct {
	mu     sync.Mutex
	last   int64     // position of the jobs' last append
	others time.Time // when it was seen last that somebody else had appended in between
}

const (
	// fewAtOnce is how many rows or customers go into one append while others write.
	fewAtOnce = 20
	// restBetween is how long a job rests between two appends then.
	restBetween = 12 * time.Millisecond
	// politeFor is how long after the last write of others a job takes them into account.
	politeFor = 250 * time.Millisecond
)

// appended takes note of what the job has written, and so of whether others have written before it.
func (m *manners) appended(done commands.Done) {
	if !done.Changed {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last > 0 && done.First > m.last+1 {
		m.others = time.Now()
	}
	m.last = done.Position
}

// polite reports whether others write at present.
func (m *manners) polite() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.others) < politeFor
}

// most bounds how many go into the next append.
func (m *manners) most(together int) int {
	if m.polite() {
		return min(together, fewAtOnce)
	}
	return together
}

// rest is how long to rest before the next append.
func (m *manners) rest() time.Duration {
	if m.polite() {
		return restBetween
	}
	return 0
}
