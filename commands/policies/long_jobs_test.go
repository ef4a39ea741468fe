package policies

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLongJobsStandInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l longs
		enter := func(tenant string, want bool) {
			t.Helper()
			if got := l.enter(tenant, "job of "+tenant); got != want {
				t.Fatalf("%s has a place: %v, want %v", tenant, got, want)
			}
		}
		for i := range longAtOnce {
			enter(fmt.Sprint(i), true)
		}
		enter("a", false)
		enter("b", false)
		enter("0", false) // one at a time
		if !l.has("0", "job of 0") || l.has("0", "another") || l.has("a", "job of a") {
			t.Error("who has a place is not known")
		}
		l.leave("0")
		enter("b", false) // a was there before
		enter("0", false)
		enter("a", true)
		l.leave("1")
		enter("0", false)
		enter("b", true)
		enter("1", false)
		time.Sleep(lineMost / 2)
		enter("1", false)
		time.Sleep(lineMost/2 + 1)
		l.leave("2")
		enter("1", true) // the other one asks no more
	})
}
