package projector

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

// A database's clock that jumps ahead does not take the clock of read models with it; one that is behind is followed.
func TestWatermarkDoesNotFollowAJump(t *testing.T) {
	now := time.Date(2026, 3, 7, 20, 13, 14, 0, time.UTC)
	for ahead, want := range map[time.Duration]time.Duration{
		0: 0, -time.Hour: -time.Hour, time.Minute: time.Minute, time.Minute + time.Microsecond: time.Minute, 9000 * time.Hour: time.Minute,
	} {
		read := careful(func(context.Context, string) (int64, time.Time, error) { return 7, now.Add(ahead), nil }, func() time.Time { return now })
		if head, at, err := read(t.Context(), "acme"); head != 7 || !at.Equal(now.Add(want)) || err != nil {
			t.Errorf("%v ahead: %d, %v, %v", ahead, head, at.Sub(now), err)
		}
	}
	gone := errors.New("gone")
	read := careful(func(context.Context, string) (int64, time.Time, error) { return 0, time.Time{}, gone }, time.Now)
	if _, _, err := read(t.Context(), "acme"); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

// Who waits for a processor waits for a few customers, not for a piece: within it is rested for as long as is worked, unless nobody asks the build yet.
func TestAPieceOfWorkRests(t *testing.T) {
	const each, customers = 10 * time.Microsecond, 10 * polite
	for _, gentle := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := &feeder{}
			f.tending.gentle, f.tending.began, f.tending.since = gentle, time.Now(), time.Now()
			for range customers {
				f.tendOne(uuid.Nil, func() error { time.Sleep(each); return nil }) // that is the work
			}
			rested := f.tending.rested
			if least := (customers - polite) * each; gentle && (rested < least || rested > customers*each) || !gentle && rested != 0 {
				t.Errorf("gentle %t: %s of rest beside %s of work", gentle, rested, customers*each)
			}
			for range 2 * polite {
				f.tendOne(uuid.Nil, func() error { time.Sleep(time.Second); return nil }) // as if the process were stopped again and again
			}
			if more := f.tending.rested - rested; more > restWithin {
				t.Errorf("gentle %t: %s of rest in a piece that lasts too long", gentle, more)
			}
		})
	}
}
