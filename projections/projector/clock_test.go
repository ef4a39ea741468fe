package projector

import (
	"context"
	"errors"
	"testing"
	"time"
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
