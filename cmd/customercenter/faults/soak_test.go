//go:build unix

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// soak draws faults, two at once every third time, and how long they last, until its time is over. In between it looks how large the processes are.
func (w *world) soak(possible []fault, chance *rand.Rand) *sizes {
	w.t.Helper()
	s := &sizes{of: map[string][]size{}}
	for end := time.Now().Add(*soakFor); time.Now().Before(end); {
		for _, at := range chance.Perm(len(possible)) {
			f := possible[at]
			if chance.IntN(3) == 0 {
				f = pair(possible, chance)
			}
			w.strike(f, time.Duration(chance.Int64N(int64(4*time.Second))))
			w.measure(s)
			if w.t.Failed() || !time.Now().Before(end) {
				return s
			}
		}
	}
	return s
}

// size is what a process takes at a moment of calm.
type size struct {
	goroutines, heap, resident float64 // heap and resident in MiB
}

// sizes are those of the processes that are never killed, in the order of time.
type sizes struct{ of map[string][]size }

// measure looks at every process that lives as long as the test.
func (w *world) measure(s *sizes) {
	w.t.Helper()
	for name := range roles {
		if slices.Contains(struck, name) {
			continue
		}
		insist(w.t, name+" tells its size", func(ctx context.Context) error {
			text, err := w.look(ctx, name, "/metrics")
			if err != nil {
				return err
			}
			now := size{goroutines: figure(text, "go_goroutines"), heap: figure(text, "go_memstats_heap_inuse_bytes") / (1 << 20), resident: figure(text, "process_resident_memory_bytes") / (1 << 20)}
			if now.goroutines == 0 || now.heap == 0 {
				return fmt.Errorf("it tells %+v", now)
			}
			s.of[name] = append(s.of[name], now)
			return nil
		})
	}
}

// figure is the value of a series without labels.
func figure(text, name string) float64 {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}

// What may be added from the second third to the last.
const (
	mayGrow       = 1.25
	moreGorutines = 10
	moreMiB       = 24
)

// judge compares the last third with the one before, by their medians; in the first, memory fills with what is kept there. The median of a heap is that of a process that collects
// garbage now and then.
func (s *sizes) judge(t *testing.T) {
	t.Helper()
	const enough = 15
	for name, all := range s.of {
		if len(all) < enough {
			t.Logf("%s was looked at %d times, too few to say whether it grows", name, len(all))
			continue
		}
		third := len(all) / 3
		for _, of := range []struct {
			what string
			more float64
			get  func(size) float64
		}{
			{"goroutines", moreGorutines, func(s size) float64 { return s.goroutines }},
			{"MiB of heap", moreMiB, func(s size) float64 { return s.heap }},
			{"MiB resident", moreMiB, func(s size) float64 { return s.resident }},
		} {
			first, second, last := median(all[:third], of.get), median(all[third:2*third], of.get), median(all[2*third:], of.get)
			t.Logf("%s: %s %.0f, %.0f, %.0f (medians of thirds, %d looks)", name, of.what, first, second, last, len(all))
			if last > second*mayGrow+of.more {
				t.Errorf("%s grows: %s from %.0f to %.0f", name, of.what, second, last)
			}
		}
	}
}

func median(all []size, get func(size) float64) float64 {
	values := make([]float64, len(all))
	for i, s := range all {
		values[i] = get(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
