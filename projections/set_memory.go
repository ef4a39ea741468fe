package projections

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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

// setRow are the members of a set in one bucket. It is never changed.
type setRow struct {
	number int64 // as of which transaction it was read
	count  int
	few    []uint16 // the places of the members in the bucket, ascending, where there are few
	many   *bitmap  // else
}

// fewMembers is up to how many members a row is kept as a list: a quarter of the memory, and as fast to count with.
const fewMembers = 256

func newSetMemory(most int64) *setMemory {
	return &setMemory{most: most, tables: map[setsOf]*keptTable{}}
}

// newSetRow makes a row of a bitmap, which it does not keep.
func newSetRow(b *bitmap) *setRow {
	r := &setRow{count: b.count()}
	if r.count > fewMembers {
		many := *b
		r.many = &many
		return r
	}
	r.few = make([]uint16, 0, r.count)
	for place := range b.ordinals(0, true) {
		r.few = append(r.few, uint16(place))
	}
	return r
}

// size is how much memory a row takes, and slotSize what its place takes.
func (r *setRow) size() int64 {
	const fixed = 64
	if r.many != nil {
		return fixed + bucketSize/8
	}
	return fixed + 2*int64(len(r.few))
}

const slotSize = 8

// bitmap is the row as one; nil if there is nobody.
func (r *setRow) bitmap() *bitmap {
	if r.many != nil || r.count == 0 {
		return r.many
	}
	b := new(bitmap)
	r.addTo(b)
	return b
}

// addTo adds the members to a bitmap in the making.
func (r *setRow) addTo(b *bitmap) {
	for _, place := range r.few {
		b.set(int64(place))
	}
	if r.many != nil {
		for i, w := range r.many {
			b[i] |= w
		}
	}
}

// common is how many of the members are in another set of the bucket. size is how many that has.
func (r *setRow) common(other *bitmap, size int) (n int) {
	switch {
	case r.count == 0 || size == 0:
	case other == everyone:
		return r.count
	case r.many != nil:
		for i, w := range r.many {
			n += bits.OnesCount64(w & other[i])
		}
	default:
		for _, place := range r.few {
			n += int(other[place/64] >> (63 - place%64) & 1)
		}
	}
	return n
}

// sight is how one question sees the sets: as of the instant at which db reads all.
type sight struct {
	memory *setMemory
	db     reader
	tenant string
	// numbers are the last transactions at that instant, by table.
	numbers map[setTable]int64
}

// look finds out which transaction of a table was the last, and tells the memory what those did of which it does not know.
func (s *sight) look(ctx context.Context, table setTable) (number int64, err error) {
	if number, looked := s.numbers[table]; looked {
		return number, nil
	}
	of := setsOf{table, s.tenant}
	entries, err := s.journal(ctx, table, s.memory.number(of))
	if err != nil {
		return 0, err
	}
	number = s.memory.learn(of, entries)
	s.numbers[table] = number
	return number, nil
}

// entry is a row of a journal.
type entry struct {
	number  int64
	token   uuid.UUID
	sets    []int64 // nil: any
	buckets []int32
}

// With so many transactions, or rows that they have changed, there is little left in memory that is still true: they are not read.
const (
	tooMany     = 4096
	tooManyRows = 20_000
)

// journal are the entries from a number on, the last first; the last in any case. What they have changed is not read where it is too much.
func (s *sight) journal(ctx context.Context, table setTable, from int64) ([]entry, error) {
	rows, err := s.db.Query(ctx, fmt.Sprintf(`select number, token, case when total <= %[2]d then sets end, case when total <= %[2]d then buckets end
		from (select number, token, sets, buckets, sum(changes) over () as total from %[1]s where tenant = $1
			and number >= least($2, (select l.number from %[1]s l where l.tenant = $1 order by l.number desc limit 1))) w order by number desc limit %[3]d`,
		table.journal(), tooManyRows, tooMany), s.tenant, from)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e entry, err error) {
		err = row.Scan(&e.number, &e.token, &e.sets, &e.buckets)
		return e, err
	})
}

// journal is the table of the journal of a table of sets.
func (t setTable) journal() string { return pgx.Identifier{t.schema, t.name + "_written"}.Sanitize() }

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

// rows are the rows of some sets of a table, which are all different, of the buckets from first to last. None is nil.
func (s *sight) rows(ctx context.Context, table setTable, sets []int64, first, last int) ([][]*setRow, error) {
	number, err := s.look(ctx, table)
	if err != nil {
		return nil, err
	}
	of := setsOf{table, s.tenant}
	rows := s.memory.recall(of, number, sets, first, last)
	sql, args := missingRows(table, s.tenant, sets, rows, first, last)
	if sql == "" {
		return rows, nil
	}
	if err := s.read(ctx, sql, args, number, sets, rows, first); err != nil {
		return nil, err
	}
	s.memory.keep(of, number, sets, first, rows)
	return rows, nil
}

// missingRows is the SQL that reads the rows that are nil: sets of which most are missing by ranges, the rest row by row. Empty: none is.
func missingRows(table setTable, tenant string, sets []int64, rows [][]*setRow, first, last int) (sql string, args arguments) {
	args = arguments{tenant}
	var whole, some []int64
	var buckets []int32
	for i, set := range sets {
		n := 0
		for _, r := range rows[i] {
			if r == nil {
				n++
			}
		}
		if 2*n > len(rows[i]) {
			whole = append(whole, set)
			continue
		}
		for b, r := range rows[i] {
			if r == nil {
				some, buckets = append(some, set), append(buckets, int32(first+b))
			}
		}
	}
	name := table.sql()
	if len(whole) > 0 {
		sql = fmt.Sprintf("(select %[1]s, bucket, bits from %[2]s where tenant = $1 and %[1]s = any(%[3]s::bigint[]) and bucket between %[4]s::int and %[5]s::int)",
			table.key, name, args.bind(whole), args.bind(first), args.bind(last))
	}
	if len(some) > 0 {
		if sql != "" {
			sql += " union all "
		}
		sql += fmt.Sprintf("(select u.s, u.b, x.bits from unnest(%s::bigint[], %s::int[]) u(s, b) "+
			"cross join lateral (select t.bits from %s t where t.tenant = $1 and t.%s = u.s and t.bucket = u.b offset 0) x)",
			args.bind(some), args.bind(buckets), name, table.key)
	}
	return sql, args
}

// read fills in the rows that are nil. number is the transaction as of which they are.
func (s *sight) read(ctx context.Context, sql string, args arguments, number int64, sets []int64, rows [][]*setRow, first int) error {
	places := make(map[int64]int, len(sets))
	for i, set := range sets {
		places[set] = i
	}
	found, err := s.db.Query(ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return err
	}
	defer found.Close()
	var b bitmap
	for found.Next() {
		var set int64
		var bucket int
		if err := found.Scan(&set, &bucket, &b); err != nil {
			return err
		}
		if at := &rows[places[set]][bucket-first]; *at == nil {
			*at = newSetRow(&b)
			(*at).number = number
		}
	}
	if err := found.Err(); err != nil {
		return err
	}
	nobody := &setRow{number: number}
	for i := range rows {
		for n, r := range rows[i] {
			if r == nil {
				rows[i][n] = nobody
			}
		}
	}
	return nil
}
