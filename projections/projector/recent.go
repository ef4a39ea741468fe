package projector

import (
	"hash/maphash"
	"sync"
	"time"

	"customercenter/eventstore"
)

// recent keeps what live feeders of this process have decoded last. Read models that follow a log side by side get each event decoded once, by whoever comes first, and
// share it: a fold must not change what it is given.
type recent struct {
	seed maphash.Seed
	logs [4]recentLog // each of some tenants
}

const (
	recentEvents = 4096
	// recentFor is how long an event is shared: as long as a key that was destroyed may be used, see package keyring.
	recentFor = time.Second
)

type recentLog struct {
	sync.Mutex // held while events are decoded, so that the others wait for them
	slots      [recentEvents]*opened
}

type opened struct {
	eventstore.Decoded
	blind bool // without personal fields, as for Definition.Blind
	at    time.Time
}

func newRecent() *recent { return &recent{seed: maphash.MakeSeed()} }

func (r *recent) of(tenant string) *recentLog {
	return &r.logs[maphash.String(r.seed, tenant)%uint64(len(r.logs))]
}

func (l *recentLog) slot(position int64, blind bool) **opened {
	at := 2 * position
	if blind {
		at++
	}
	return &l.slots[at%recentEvents]
}

// get returns an event as it was decoded a moment ago.
func (l *recentLog) get(e *eventstore.Event, blind bool, now time.Time) (eventstore.Decoded, bool) {
	o := *l.slot(e.Position, blind)
	if o == nil || o.Position != e.Position || o.Tenant != e.Tenant || o.blind != blind || now.Sub(o.at) > recentFor {
		return eventstore.Decoded{}, false
	}
	return o.Decoded, true
}

func (l *recentLog) put(d *eventstore.Decoded, blind bool, now time.Time) {
	*l.slot(d.Position, blind) = &opened{*d, blind, now}
}
