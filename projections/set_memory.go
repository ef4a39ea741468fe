package projections

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/google/uuid"

	"customercenter/projections/projector"
)

// This file keeps sets of customers in memory. Which of their rows have changed since is told by the journal of their table, see
// projector.Bits: a question reads that, and then only those rows that it needs and that are not known any more. All that a question reads is
// as of one instant, and so is what it gets from the memory: it is answered as if nothing were kept.

// setMemory is what is kept by one process. It is safe for concurrent use.
type setMemory struct {
	most int64 // bytes, about

	mu     sync.Mutex
	size   int64
	turn   uint64 // counts what is asked, so that it is known what was used lately
	tables map[setsOf]*keptTable
}

// setsOf are the sets of a tenant in a table.
type setsOf struct {
	table  setTable
	tenant string
}

// keptTable is what is known of a table. All rows in it are as they are at the transaction number.
type keptTable struct {
	number int64
	tokens map[int64]uuid.UUID // of the last transactions up to number; that of 0, before the first, is zero
	sets   map[int64]*keptSet
}

type keptSet struct {
	rows []*setRow // by bucket; nil: not known
	used uint64
}

func newSetMemory(most int64) *setMemory {
	return &setMemory{most: most, tables: map[setsOf]*keptTable{}}
}

// number is the transaction up to which those of a table are taken into account; beyond all, if nothing is known of the table.
func (m *setMemory) number(of setsOf) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.tables[of]; t != nil {
		return t.number
	}
	return math.MaxInt64
}

// learn takes in the end of a journal, the last entry first, and returns its number.
//
// The question may be of an earlier instant than what is known already. If the journal is another one than before, because the database was
// restored or the table made anew, everything is forgotten.
func (m *setMemory) learn(of setsOf, entries []entry) (number int64) {
	var last entry
	if len(entries) > 0 {
		last = entries[0]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil {
		t = &keptTable{sets: map[int64]*keptSet{}}
		m.tables[of] = t
		t.begin(last)
		return last.number
	}
	if token, known := t.tokens[last.number]; known && token == last.token {
		return last.number // nothing new, or an earlier instant
	}
	oldest := entry{number: last.number + 1}
	for i, e := range entries { // which of them are new
		if token, known := t.tokens[e.number]; known && token == e.token && e.number == t.number {
			t.take(m, entries[:i])
			return last.number
		}
		oldest = e
	}
	if t.number == 0 && oldest.number == 1 { // nothing was written before
		t.take(m, entries)
		return last.number
	}
	m.forgetAll(t)
	t.begin(last)
	return last.number
}

// begin starts anew behind an entry of the journal.
func (t *keptTable) begin(at entry) {
	t.number, t.tokens = at.number, map[int64]uuid.UUID{at.number: at.token}
}

// tokensKept is how many transactions a question may be behind.
const tokensKept = 256

// take forgets what the next entries of the journal, the last first, say has changed.
func (t *keptTable) take(m *setMemory, entries []entry) {
	for _, e := range slices.Backward(entries) {
		if e.sets == nil {
			m.forgetAll(t)
		}
		for i, set := range e.sets {
			m.forget(t.sets[set], int(e.buckets[i]), e.number)
		}
		t.number, t.tokens[e.number] = e.number, e.token
		delete(t.tokens, e.number-tokensKept)
	}
}

// forget drops a row, or all of a set, that was read before a transaction.
func (m *setMemory) forget(set *keptSet, bucket int, number int64) {
	if set == nil {
		return
	}
	first, last := bucket, bucket
	if bucket == projector.EveryBucket {
		first, last = 0, len(set.rows)-1
	}
	for b := first; b <= last && b < len(set.rows); b++ {
		if r := set.rows[b]; r != nil && r.number < number {
			m.size -= r.size()
			set.rows[b] = nil
		}
	}
}

func (m *setMemory) forgetAll(t *keptTable) {
	for _, set := range t.sets {
		m.size -= set.size()
	}
	clear(t.sets)
}

func (s *keptSet) size() int64 {
	n := slotSize * int64(len(s.rows))
	for _, r := range s.rows {
		if r != nil {
			n += r.size()
		}
	}
	return n
}

// recall returns the rows that are known of some sets as of a transaction, of the buckets from first to last: nil for those that are not.
func (m *setMemory) recall(of setsOf, number int64, sets []int64, first, last int) [][]*setRow {
	width := last - first + 1
	known, all := make([][]*setRow, len(sets)), make([]*setRow, len(sets)*width)
	for i := range sets {
		known[i], all = all[:width:width], all[width:]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil || t.number < number {
		return known
	}
	m.turn++
	for i, set := range sets {
		kept := t.sets[set]
		if kept == nil || first >= len(kept.rows) {
			continue
		}
		kept.used = m.turn
		for n, r := range kept.rows[first:min(len(kept.rows), last+1)] {
			if r != nil && r.number <= number { // and not changed up to t.number
				known[i][n] = r
			}
		}
	}
	return known
}

// keep remembers rows that a question has read as of a transaction, unless others know of a later one: these rows may have changed since.
func (m *setMemory) keep(of setsOf, number int64, sets []int64, first int, rows [][]*setRow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil || t.number != number {
		return
	}
	for i, set := range sets {
		kept := t.sets[set]
		if kept == nil {
			kept = &keptSet{used: m.turn}
			t.sets[set] = kept
		}
		if missing := first + len(rows[i]) - len(kept.rows); missing > 0 {
			kept.rows = append(kept.rows, make([]*setRow, missing)...)
			m.size += slotSize * int64(missing)
		}
		for n, r := range rows[i] {
			if at := first + n; kept.rows[at] == nil && r.number == number {
				kept.rows[at] = r
				m.size += r.size()
			}
		}
	}
	if m.size > m.most {
		m.shrink()
	}
}

// shrink forgets the sets that were not used for the longest time, until a quarter of the room is free.
func (m *setMemory) shrink() {
	type candidate struct {
		table *keptTable
		set   int64
		used  uint64
	}
	var all []candidate
	for _, t := range m.tables {
		for set, kept := range t.sets {
			all = append(all, candidate{t, set, kept.used})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.used, b.used) })
	for _, c := range all {
		if m.size <= m.most/4*3 {
			break
		}
		m.size -= c.table.sets[c.set].size()
		delete(c.table.sets, c.set)
	}
	for of, t := range m.tables {
		if len(t.sets) == 0 {
			delete(m.tables, of)
		}
	}
}
