package relay

import (
	"time"
)

// incarnation is one life of the stream, as it was before any message of it was looked at. A stream that is deleted and made
// again counts from 1, so a sequence means nothing without the time it was made.
type incarnation struct {
	created  time.Time // as Postgres keeps it: in microseconds
	sequence uint64    // of the last message
}

// place is where a tenant's publishing goes on.
type place struct {
	position  int64  // the last one that is published
	sequence  uint64 // the stream's sequence at which that is true
	read      bool   // it was read from the stream's newest message, which must be compared with the log
	recreated bool   // the stream was made again since, so that older events are missing in it
	stopped   string // not empty: nowhere, see StoppedAhead
}

// resume finds where to go on with a tenant. It may repeat events that the stream holds, when the stream has lost or thrown away
// what would tell; it never leaves any out that the stream in this life did not hold once.
func resume(r row, s incarnation, l last) place {
	current := l.sequence > 0 && l.epoch == r.logEpoch
	switch {
	case current && l.refill == r.refill:
		// The stream knows best. Below the cursor, its end was lost.
		return place{position: l.position, sequence: l.sequence, read: true}
	case current && l.refill > r.refill:
		return place{stopped: StoppedAhead} // a refill that the database has forgotten
	case !r.known || r.epoch != r.logEpoch:
		return place{sequence: s.sequence} // a new tenant, or a new epoch: from the beginning
	case r.position > r.head:
		return place{stopped: StoppedAhead}
	case !r.created.Equal(s.created):
		return place{position: r.position, sequence: s.sequence, recreated: true}
	case s.sequence < r.sequence:
		// The stream's end was lost in a crash, and older messages of the tenant are gone too. So many messages are lost at
		// most, hence no more than so many of this tenant.
		back := min(int64(r.sequence-s.sequence), r.position-(r.refillFrom-1))
		return place{position: r.position - max(back, 0), sequence: s.sequence}
	default:
		return place{position: r.position, sequence: r.sequence}
	}
}
