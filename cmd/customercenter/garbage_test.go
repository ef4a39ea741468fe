package main

import (
	"runtime/metrics"
	"testing"
	"time"
)

func TestHowMuchGarbageThereMayBe(t *testing.T) {
	for inUse, want := range map[uint64]int{0: 4000, 10 << 20: 400, 40 << 20: 100, 80 << 20: 50, 1 << 30: 50} {
		if got := percentOf(inUse); got != want {
			t.Errorf("with %d MB in use: %d %%, want %d", inUse>>20, got, want)
		}
	}
}

var garbage [][]byte

// TestGarbageIsCollectedSeldom makes garbage for a while: it is collected each time that there is as much of it as there may be, not sooner.
func TestGarbageIsCollectedSeldom(t *testing.T) {
	t.Setenv("GOGC", "")
	collectSeldom() // from here on, in all tests
	cycles := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	spend := func(bytes int) {
		for ; bytes > 0; bytes -= 1 << 16 {
			garbage = [][]byte{make([]byte, 1<<16)}
		}
	}
	spend(2 * leastGarbage) // the first collections under the new rule
	time.Sleep(50 * time.Millisecond)
	from := cycles()
	for range 8 {
		spend(leastGarbage)
		time.Sleep(10 * time.Millisecond) // for the finalizer
	}
	if n := cycles() - from; n < 4 || n > 12 {
		t.Errorf("%d collections of 8 times as much garbage as there may be", n)
	}
}
