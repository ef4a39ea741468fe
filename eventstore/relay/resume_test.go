package relay

import (
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestResume(t *testing.T) {
	now, before := uuid.New(), uuid.New()
	made, other := time.Unix(1000, 0), time.Unix(2000, 0)
	known := row{slug: "acme", head: 100, logEpoch: now, known: true, epoch: now, position: 50, created: made, sequence: 500, refillFrom: 1}
	with := func(change func(*row)) row {
		r := known
		change(&r)
		return r
	}
	same := incarnation{created: made, sequence: 600}
	for name, c := range map[string]struct {
		row    row
		stream incarnation
		last   last
		want   place
	}{
		"a new tenant": {row: row{head: 3, logEpoch: now, epoch: now, refillFrom: 1}, stream: same, want: place{sequence: 600}},
		"a message above the cursor": {row: known, stream: same, last: last{sequence: 590, epoch: now, position: 70},
			want: place{position: 70, sequence: 590, read: true}},
		"a message below the cursor": {row: known, stream: same, last: last{sequence: 480, epoch: now, position: 40},
			want: place{position: 40, sequence: 480, read: true}},
		"a message, but no cursor": {row: row{head: 100, logEpoch: now, epoch: now, refillFrom: 1}, stream: same,
			last: last{sequence: 480, epoch: now, position: 40}, want: place{position: 40, sequence: 480, read: true}},
		"messages have expired":   {row: known, stream: same, want: place{position: 50, sequence: 500}},
		"the end was lost":        {row: known, stream: incarnation{created: made, sequence: 480}, want: place{position: 30, sequence: 480}},
		"more was lost than had":  {row: known, stream: incarnation{created: made, sequence: 0}, want: place{}},
		"lost during a refill":    {row: with(func(r *row) { r.refillFrom = 41 }), stream: incarnation{created: made, sequence: 0}, want: place{position: 40}},
		"made anew":               {row: known, stream: incarnation{created: other, sequence: 7}, want: place{position: 50, sequence: 7, recreated: true}},
		"made anew, has messages": {row: known, stream: incarnation{created: other, sequence: 7}, last: last{sequence: 6, epoch: now, position: 60}, want: place{position: 60, sequence: 6, read: true}},
		"a new epoch":             {row: with(func(r *row) { r.epoch = before }), stream: same, last: last{sequence: 590, epoch: before, position: 70}, want: place{sequence: 600}},
		"a new epoch has begun": {row: with(func(r *row) { r.epoch = before }), stream: same, last: last{sequence: 590, epoch: now, position: 7},
			want: place{position: 7, sequence: 590, read: true}},
		"a refill begins": {row: with(func(r *row) { r.refill, r.refillFrom, r.position = 1, 11, 10 }), stream: same,
			last: last{sequence: 590, epoch: now, position: 70}, want: place{position: 10, sequence: 500}},
		"a refill goes on": {row: with(func(r *row) { r.refill, r.refillFrom, r.position = 1, 11, 10 }), stream: same,
			last: last{sequence: 590, epoch: now, refill: 1, position: 20}, want: place{position: 20, sequence: 590, read: true}},
		"a refill the database forgot": {row: known, stream: same, last: last{sequence: 590, epoch: now, refill: 1, position: 20}, want: place{stopped: StoppedAhead}},
		"a cursor behind the log":      {row: with(func(r *row) { r.position = 101 }), stream: same, want: place{stopped: StoppedAhead}},
	} {
		if got := resume(c.row, c.stream, c.last); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
