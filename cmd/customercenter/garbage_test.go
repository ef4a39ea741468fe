package main

import (
	"runtime"
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

// TestGarbageIsCollectedSeldom sees that after each collection the rule follows what that has left in use.
func TestGarbageIsCollectedSeldom(t *testing.T) {
	t.Setenv("GOGC", "")
	collectSeldom() // from here on, in all tests
	percent := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	follows := func(what string, is func(percent uint64) bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !is(percent()); runtime.GC() {
			if time.Now().After(end) {
				t.Fatalf("with %s in use there may be %d %% of it as garbage", what, percent())
			}
		}
	}
	much := make([]byte, 200<<20)
	follows("200 MB", func(percent uint64) bool { return percent == 100/garbageShare })
	runtime.KeepAlive(much)
	follows("little", func(percent uint64) bool { return percent > 100/garbageShare })
}
