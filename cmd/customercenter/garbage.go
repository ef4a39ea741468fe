package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// How much garbage there may be before it is collected. By itself Go lets there be as much as what is in use: in a process that uses 12 MB, every 12 MB
// that are read of the log, twice a second; and each time it takes all processors, which the database wants, too.
const (
	leastGarbage = 40 << 20
	garbageShare = 2 // above that, one part of so many of what is in use
)

// collectSeldom lets so much garbage be, for the rest of the process's life. Whoever has set GOGC gets that instead; GOMEMLIMIT holds in any case.
func collectSeldom() {
	if os.Getenv("GOGC") != "" {
		return
	}
	var again func(*sentinel)
	again = func(*sentinel) {
		debug.SetGCPercent(percentOf(inUse()))
		runtime.SetFinalizer(new(sentinel), again) // is garbage at once: the next collection finds it
	}
	again(nil)
}

// sentinel tells of a collection. It has a pointer, as those without are finalized together with others.
type sentinel struct{ _ *sentinel }

// percentOf is the garbage that there may be, in hundredths of the bytes in use.
func percentOf(inUse uint64) int {
	inUse = max(inUse, 1<<20)
	return int(100 * max(leastGarbage, inUse/garbageShare) / inUse)
}

// inUse is how many bytes of the heap the last collection has left; before the first, what a process begins with.
func inUse() uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return live[0].Value.Uint64()
}
