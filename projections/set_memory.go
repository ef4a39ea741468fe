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
	lives  int64
	tables map[setsOf]*keptTable
}

// setsOf are the sets of a tenant in a table.
type setsOf struct {
	table  setTable
	tenant string
}

// keptTable is what is known of a table. All rows in it are as they are behind the last of the recent transactions.
type keptTable struct {
	life   int64   // tells it from the table's memory before it was forgotten
	recent []entry // the end of the journal, as far as it is known, the last one last; never empty
	sets   map[int64]*keptSet
}

// seen is an instant as which a question sees a table: the last transaction, and by which memory it is counted.
type seen struct{ number, life int64 }

// entry is a row of a journal. The one before the first has number 0.
type entry struct {
	number  int64
	token   uuid.UUID
	sets    []int64 // nil: any
	buckets []int32
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
		return t.last().number
	}
	return math.MaxInt64
}

func (t *keptTable) last() *entry { return &t.recent[len(t.recent)-1] }

// known reports whether a transaction is among the recent ones.
func (t *keptTable) known(e entry) bool {
	i, found := slices.BinarySearchFunc(t.recent, e.number, func(e entry, number int64) int { return cmp.Compare(e.number, number) })
	return found && t.recent[i].token == e.token
}

// learn takes in the end of a journal, the last entry first.
//
// The question may be of an earlier instant than what is known already. If the journal is another one than before, because the database was
// restored or the table made anew, everything is forgotten.
func (m *setMemory) learn(of setsOf, entries []entry) seen {
	if len(entries) == 0 {
		entries = []entry{{}} // nothing was written yet
	}
	number := entries[0].number
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil {
		t = &keptTable{sets: map[int64]*keptSet{}}
		m.tables[of] = t
		m.begin(t, entries)
		return seen{number, t.life}
	}
	if t.known(entries[0]) { // nothing new, or an earlier instant
		return seen{number, t.life}
	}
	last := t.last()
	for i, e := range entries {
		switch {
		case e.number == last.number && e.token == last.token:
			m.take(t, entries[:i])
			return seen{number, t.life}
		case e.number == 1 && last.number == 0:
			m.take(t, entries[:i+1])
			return seen{number, t.life}
		}
	}
	m.forgetAll(t)
	m.begin(t, entries)
	return seen{number, t.life}
}

// begin starts anew behind the end of a journal, the last entry first.
func (m *setMemory) begin(t *keptTable, entries []entry) {
	m.lives++
	t.life = m.lives
	t.recent = slices.Clone(entries)
	slices.Reverse(t.recent)
}

// recentKept is how many transactions a question may be behind.
const recentKept = 128

// take forgets what the next entries of the journal, the last first, say has changed.
func (m *setMemory) take(t *keptTable, entries []entry) {
	for _, e := range slices.Backward(entries) {
		if e.sets == nil {
			m.forgetAll(t)
		}
		for i, set := range e.sets {
			m.forget(t.sets[set], int(e.buckets[i]), e.number)
		}
		t.recent = append(t.recent, e)
	}
	if over := len(t.recent) - recentKept; over > 0 {
		t.recent = slices.Clone(t.recent[over:])
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

// recall returns the rows that are known of some sets as of an instant, of the buckets from first to last: nil for those that are not.
func (m *setMemory) recall(of setsOf, at seen, sets []int64, first, last int) [][]*setRow {
	width := last - first + 1
	known, all := make([][]*setRow, len(sets)), make([]*setRow, len(sets)*width)
	for i := range sets {
		known[i], all = all[:width:width], all[width:]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil || t.life != at.life {
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
			if r != nil && r.number <= at.number { // and has not changed since
				known[i][n] = r
			}
		}
	}
	return known
}

// keep remembers rows that a question has read as of an instant, but for those of which others know that they have changed since.
func (m *setMemory) keep(of setsOf, at seen, sets []int64, first int, rows [][]*setRow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil || t.life != at.life {
		return
	}
	changed, told := t.since(at.number)
	if !told {
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
			bucket := first + n
			if r.number != at.number || kept.rows[bucket] != nil || changed[rowOf{set, int32(bucket)}] || changed[rowOf{set, projector.EveryBucket}] {
				continue
			}
			kept.rows[bucket] = r
			m.size += r.size()
		}
	}
	if m.size > m.most {
		m.shrink()
	}
}

// rowOf names a row of a table of sets.
type rowOf struct {
	set    int64
	bucket int32
}

// since are the rows that have changed behind a transaction; false if that is not known, or any may have.
func (t *keptTable) since(number int64) (changed map[rowOf]bool, told bool) {
	if t.recent[0].number > number {
		return nil, false
	}
	changed = map[rowOf]bool{}
	for _, e := range slices.Backward(t.recent) {
		if e.number <= number {
			break
		}
		if e.sets == nil {
			return nil, false
		}
		for i, set := range e.sets {
			changed[rowOf{set, e.buckets[i]}] = true
		}
	}
	return changed, true
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
