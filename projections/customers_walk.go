package projections

import (
	"math"
	"time"
)

// Budgets of a page.
const (
	walkBudget = 200 * time.Millisecond
	walkFirst  = 1_000 // rows looked at in the first piece of a walk along an index
	walkSteady = 30 * time.Millisecond
	walkMost   = 200_000
	gatherTime = 15 * time.Millisecond // how long an index may take that is asked for much, see gatherRest
	// How long a page is made to wait for a count that the sets do not decide: longer if it is to be counted by facets, for which everybody
	// must be known.
	countBudget = 2 * time.Millisecond
	facetBudget = 20 * time.Millisecond
)

// budget is until when a search may go on; zero: until the end.
type budget time.Time

func spend(d time.Duration) budget { return budget(time.Now().Add(d)) }

func (b budget) spent() bool { return !time.Time(b).IsZero() && time.Now().After(time.Time(b)) }

// left is how long it may go on; false: until the end.
func (b budget) left() (time.Duration, bool) { return time.Until(time.Time(b)), !time.Time(b).IsZero() }

// walk goes through an answer in the order of the ordinals, and learns on the way what it has to.
type walk struct {
	a         *answer
	ascending bool
	at        int64  // the next ordinal that is looked at
	window    int    // buckets that are read at once
	seek      bool   // the index of terms is searched at once, see judgedFirst
	judging   effort // by customers
	searching effort // by buckets of terms, in their index
	learned   bool

	found    int     // in all
	last     *effort // by which the last step was; nil: it is measured already
	lastSize int
	before   int // found before the last step
}

// walk begins beyond an ordinal; 0 is the beginning.
func (a *answer) walk(ascending bool, beyond int64) *walk {
	w := &walk{
		a: a, ascending: ascending, window: 4 * termBuckets,
		judging:   effort{size: judgedFirst, least: 50, cost: 5 * time.Microsecond, yield: -1},
		searching: effort{size: 4, least: 1, cost: searchBase, yield: -1},
	}
	switch {
	case ascending:
		w.at = max(a.from, beyond+1)
	case beyond == 0:
		w.at = a.to - 1
	default:
		w.at = min(a.to-1, beyond-1)
	}
	return w
}

// ended reports whether there is nobody left.
func (w *walk) ended() bool {
	if w.ascending {
		return w.at >= w.a.to
	}
	return w.at < w.a.from
}

// passed is the last ordinal that was looked at: a walk beyond it goes on where this one is.
func (w *walk) passed() int64 {
	if w.ascending {
		return w.at - 1
	}
	return w.at + 1
}

// ahead are the buckets that are read next, in the order of the walk.
func (w *walk) ahead() []int {
	first, step, end := int(w.at/bucketSize), -1, int(w.a.from/bucketSize)
	if w.ascending {
		step, end = 1, int((w.a.to-1)/bucketSize)
	}
	buckets := []int{first}
	for b := first; b != end && len(buckets) < w.window; {
		b += step
		buckets = append(buckets, b)
	}
	return buckets
}

// next returns the next ordinals of the answer, up to so many. Fewer mean that the walk has ended, or the budget is spent.
func (w *walk) next(want int, until budget) (found []int64, err error) {
	for len(found) < want && !w.ended() {
		buckets := w.ahead()
		if err := w.a.load(min(buckets[0], buckets[len(buckets)-1]), max(buckets[0], buckets[len(buckets)-1])); err != nil {
			return nil, err
		}
		for i := 0; i < len(buckets) && len(found) < want; {
			var open bool
			if found, open = w.collect(buckets[i], found, want); !open {
				i++
				continue
			}
			if w.learned && until.spent() { // every walk gets on
				return found, nil
			}
			w.learned = true
			if err := w.learn(buckets[i:], want-len(found), until); err != nil {
				return nil, err
			}
		}
		if len(found) < want {
			w.window = min(4*w.window, 256)
		}
	}
	return found, nil
}

// collect takes who is surely in the answer, up to the end of the bucket or to the first of whom it is open.
func (w *walk) collect(bucket int, found []int64, want int) (_ []int64, open bool) {
	s := w.a.span(bucket)
	ahead := s.hi.and(w.beyond(bucket))
	for ordinal := range ahead.ordinals(bucket, w.ascending) {
		if len(found) == want {
			return found, false
		}
		if s.lo != s.hi && !s.lo.has(ordinal) {
			w.at = ordinal
			return found, true
		}
		found = append(found, ordinal)
		w.found++
		w.at = ordinal + w.step()
	}
	if len(found) < want {
		w.at = int64(bucket) * bucketSize
		if w.ascending {
			w.at += bucketSize
		} else {
			w.at--
		}
	}
	return found, false
}

func (w *walk) step() int64 {
	if w.ascending {
		return 1
	}
	return -1
}

// beyond is the part of a bucket that the walk has before it.
func (w *walk) beyond(bucket int) *bitmap {
	if w.ascending {
		return between(bucket, w.at, int64(bucket+1)*bucketSize)
	}
	return between(bucket, int64(bucket)*bucketSize, w.at+1)
}

// learn finds out about the next of whom it is open whether they are in the answer; need is how many more are wanted. Where many may match,
// the newest are judged first, which is soon done if many do. Then it goes on by what costs less: judging, or searching the index of terms.
func (w *walk) learn(buckets []int, need int, until budget) error {
	w.measure()
	chunk, most := w.judging.next(need, until), w.searching.next(need, until)
	var total, full, waiting int
	ordinals := make([]int64, 0, chunk)
	unsearched := make([]int, 0, most)
	for _, bucket := range buckets {
		s := w.a.span(bucket)
		open := s.hi.without(s.lo).and(w.beyond(bucket))
		n := open.count()
		if n == 0 {
			continue
		}
		total, full = total+n, full+1
		if wide := termBucket(bucket); len(unsearched) > 0 && unsearched[len(unsearched)-1] == wide {
			waiting += n
		} else if len(unsearched) < most {
			unsearched, waiting = append(unsearched, wide), waiting+n
		}
		for ordinal := range open.ordinals(bucket, w.ascending) {
			if len(ordinals) == chunk {
				break
			}
			ordinals = append(ordinals, ordinal)
		}
	}
	began := time.Now()
	begun := w.seek || w.a.looked >= judgedFirst || total < judgedFirst*full
	search, judge := w.searchCost(unsearched, waiting), w.judgeCost(need, waiting)
	left, bounded := until.left()
	if begun && (!bounded || search <= left) && search < judge && w.a.unsearched(unsearched) {
		found, err := w.a.search(unsearched)
		const atOnce = 2_000 // each costs the look at a row
		w.searching.size = max(1, min(8*len(unsearched), 64, atOnce*len(unsearched)/max(1, found)))
		took := time.Since(began)
		w.searched(&w.searching, len(unsearched), max(took-searchCall, took/4))
		return err
	}
	if w.a.looked >= judgedFirst && w.judging.needed(need) > judgedMany && (!bounded || left >= gatherTime) {
		if tried, err := w.a.gatherRest(); tried || err != nil {
			return err
		}
	}
	err := w.a.judge(ordinals)
	took := time.Since(began)
	if took < walkSteady {
		w.judging.size = min(4*len(ordinals), 20_000)
	}
	w.searched(&w.judging, len(ordinals), took)
	return err
}

// searchCost is what it probably takes to search some buckets of terms, in which so many are open: as much as the last time; before that, it is
// reckoned from how many will be found, as far as anything is known of that.
func (w *walk) searchCost(buckets []int, waiting int) time.Duration {
	if w.searching.known() {
		return searchCall + w.searching.cost*time.Duration(len(buckets))
	}
	hits := 0
	for _, n := range w.a.judged {
		if n.complete || n.arms == nil {
			continue
		}
		for _, wide := range buckets {
			for bucket := termBuckets * wide; bucket < termBuckets*(wide+1); bucket++ {
				if w.a.loaded[bucket] {
					hits += n.within.span(bucket).hi.count() / n.rarity
				}
			}
		}
	}
	if w.judging.yield >= 0 {
		hits = min(hits, int(math.Ceil(w.judging.yield*float64(waiting))))
	}
	return searchCall + searchBase*time.Duration(len(buckets)) + searchHit*time.Duration(hits)
}

// judgeCost is what it probably takes to judge as many of those waiting as are needed.
func (w *walk) judgeCost(need, waiting int) time.Duration {
	if w.judging.yield > 0 {
		waiting = min(waiting, w.judging.needed(need))
	}
	return w.judging.cost * time.Duration(waiting)
}

// What a search costs on a quiet machine: by itself, for a bucket of terms, and for each customer it finds.
const (
	searchCall = 200 * time.Microsecond
	searchBase = 40 * time.Microsecond
	searchHit  = 2 * time.Microsecond
)

// effort is one way to learn, by customers or by buckets: what the last step of it says of the next.
type effort struct {
	steps int
	size  int           // how many at once
	least int           // fewer are not worth a question
	cost  time.Duration // of one
	yield float64       // how many of the answer one has brought; negative: nobody knows
}

// known reports whether the cost is more than a guess.
func (e *effort) known() bool { return e.steps > 0 }

// needed is how many it probably takes to find some.
func (e *effort) needed(some int) int {
	if e.yield < 0 {
		return e.size
	}
	if n := 1.25 * float64(some) / e.yield; n < walkMost {
		return int(math.Ceil(n))
	}
	return walkMost
}

// next is how many are right for the next step: as many as are needed, and as there is time for.
func (e *effort) next(need int, until budget) int {
	n := e.size
	if e.yield > 0 {
		n = min(n, e.needed(need))
	}
	if left, bounded := until.left(); bounded {
		n = min(n, int(left/e.cost))
	}
	return max(n, e.least)
}

// searched notes what a step has cost. What it has found is known when all of that is collected.
func (w *walk) searched(by *effort, size int, took time.Duration) {
	by.steps++
	by.cost = max(took/time.Duration(max(1, size)), time.Nanosecond)
	w.last, w.lastSize, w.before = by, size, w.found
}

// measure notes what the last step has found.
func (w *walk) measure() {
	if w.last != nil && w.lastSize > 0 {
		w.last.yield = float64(w.found-w.before) / float64(w.lastSize)
	}
	w.last = nil
}

// unsearched reports whether a search of these buckets of terms would tell something new.
func (a *answer) unsearched(buckets []int) bool {
	for _, n := range a.judged {
		if n.complete || n.arms == nil {
			continue
		}
		for _, bucket := range buckets {
			if !n.settled[termBuckets*bucket] {
				return true
			}
		}
	}
	return false
}
