package policies

import (
	"slices"
	"sync"
	"time"
)

const (
	// longAtOnce is how many long pieces of work a process does at a time, of exports and of bulk actions each; every one takes two connections to the database.
	longAtOnce = 3
	// longRest is after how long it is looked whether a long piece has come to its end, or can be begun.
	longRest = time.Second
	// lineMost is after how long somebody has left the line who does not ask any more.
	lineMost = 10 * longRest
)

// longs are the long pieces of work of one policy in this process. They cannot be divided, so they have places of their own, beside those of the tenants:
// short work waits for none of them. A tenant has one at a time; the others stand in line.
type longs struct {
	running sync.WaitGroup

	mu   sync.Mutex
	busy map[string]string // by tenant: the job
	line []inLine
}

type inLine struct {
	tenant string
	asked  time.Time // last
}

// enter takes a place for a job, if there is one for its tenant by now. Who gets none has to ask again.
func (l *longs) enter(tenant, job string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, busy := l.busy[tenant]; busy {
		return false
	}
	now := time.Now()
	l.line = slices.DeleteFunc(l.line, func(o inLine) bool { return now.Sub(o.asked) > lineMost })
	at := slices.IndexFunc(l.line, func(o inLine) bool { return o.tenant == tenant })
	if at < 0 {
		at = len(l.line)
		l.line = append(l.line, inLine{tenant: tenant})
	}
	if l.line[at].asked = now; len(l.busy)+at >= longAtOnce {
		return false
	}
	l.line = slices.Delete(l.line, at, at+1)
	if l.busy == nil {
		l.busy = map[string]string{}
	}
	l.busy[tenant] = job
	return true
}

// has reports whether a job has a place.
func (l *longs) has(tenant, job string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.busy[tenant] == job
}

func (l *longs) leave(tenant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, tenant)
}
