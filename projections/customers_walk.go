package projections

import "time"

// Budgets of a page.
const (
	walkBudget = 200 * time.Millisecond
	walkFirst  = 1_000 // rows looked at in the first piece of a walk along an index
	walkSteady = 30 * time.Millisecond
	walkMost   = 200_000
	// How long a page is made to wait for a count that the sets do not decide: longer where the index of terms is searched for it, which
	// ends by itself at the bound or soon has everybody.
	countBudget  = 5 * time.Millisecond
	searchBudget = 50 * time.Millisecond
)

// budget is until when a search may go on; zero: until the end.
type budget time.Time

func spend(d time.Duration) budget { return budget(time.Now().Add(d)) }

func (b budget) spent() bool { return !time.Time(b).IsZero() && time.Now().After(time.Time(b)) }

// walk goes through an answer in the order of the ordinals, and learns on the way what it has to.
type walk struct {
	a         *answer
	ascending bool
	at        int64 // the next ordinal that is looked at
	window    int   // buckets that are read at once
	chunk     int   // customers that are judged at once
	buckets   int   // buckets that are searched at once
	seek      bool  // the index of terms is searched at once, see judgedFirst
	dear      int   // how many customers are judged for what the search of a bucket costs
	learned   bool
}

// walk begins beyond an ordinal; 0 is the beginning.
func (a *answer) walk(ascending bool, beyond int64) *walk {
	w := &walk{a: a, ascending: ascending, window: 4, chunk: judgedFirst, buckets: 1, dear: 20}
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
			if err := w.learn(buckets[i:]); err != nil {
				return nil, err
			}
		}
		if len(found) < want {
			w.window = min(16*w.window, 256)
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

// learn finds out about the next of whom it is open whether they are in the answer. The newest are judged one by one, which is soon
// done where many match. Then the index of terms is searched, if it can spare more than it costs.
func (w *walk) learn(buckets []int) error {
	var total, full int
	ordinals := make([]int64, 0, w.chunk)
	unsearched := make([]int, 0, w.buckets)
	for _, bucket := range buckets {
		s := w.a.span(bucket)
		open := s.hi.without(s.lo).and(w.beyond(bucket))
		n := open.count()
		if n == 0 {
			continue
		}
		total, full = total+n, full+1
		if len(unsearched) < w.buckets {
			unsearched = append(unsearched, bucket)
		}
		for ordinal := range open.ordinals(bucket, w.ascending) {
			if len(ordinals) == w.chunk {
				break
			}
			ordinals = append(ordinals, ordinal)
		}
	}
	if (w.seek || w.a.looked >= judgedFirst) && total > w.dear*full && w.a.unsearched(unsearched) {
		found, err := w.a.search(unsearched)
		const atOnce = 2_000 // each costs the look at a row
		w.buckets = max(1, min(8*w.buckets, 64, atOnce*len(unsearched)/max(1, found)))
		return err
	}
	if w.a.looked >= judgedMany {
		if tried, err := w.a.gatherRest(); tried || err != nil {
			return err
		}
	}
	began := time.Now()
	err := w.a.judge(ordinals)
	if time.Since(began) < walkSteady {
		w.chunk = min(4*w.chunk, 20_000)
	}
	return err
}

// unsearched reports whether a search of these buckets would tell something new.
func (a *answer) unsearched(buckets []int) bool {
	for _, n := range a.judged {
		if n.complete || n.arms == nil {
			continue
		}
		for _, bucket := range buckets {
			if !n.settled[bucket] {
				return true
			}
		}
	}
	return false
}
