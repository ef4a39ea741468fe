package projections

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"customercenter/projections/projector"
)

// This file keeps sets of customers in memory. Which of their rows have changed since is told by the journal of their table, see
// projector.Bits: a question reads that, and then only those rows that it needs and that are not known any more. So what a question says is as
// of now, as if nothing were kept.

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

type keptTable struct {
	number int64 // the transactions up to here are taken into account
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

func newSetRow(b *bitmap) *setRow {
	r := &setRow{count: b.count(), many: b}
	if r.count <= fewMembers {
		r.few, r.many = make([]uint16, 0, r.count), nil
		for place := range b.ordinals(0, true) {
			r.few = append(r.few, uint16(place))
		}
	}
	return r
}

func (r *setRow) size() int64 {
	const fixed = 64
	if r.many != nil {
		return fixed + bucketSize/8
	}
	return fixed + 2*int64(len(r.few))
}

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

// sight is what one question knows of the journals.
type sight struct {
	memory *setMemory
	db     reader
	tenant string
	// frozen: all is read as of one instant, and what was read later must not be used.
	frozen bool
	// numbers are the last transactions that the question has seen, by table; unknown: nothing of the memory is to be used.
	numbers map[setTable]int64
}

const unknown = -1

// look reads what was written to a table since it was last looked at.
func (s *sight) look(ctx context.Context, table setTable) (number int64, err error) {
	if number, looked := s.numbers[table]; looked {
		return number, nil
	}
	of := setsOf{table, s.tenant}
	known := s.memory.number(of)
	entries, err := s.journal(ctx, table, known)
	if err != nil {
		return 0, err
	}
	switch {
	case len(entries) > 0:
		number = entries[0].number
	case known > 0: // the memory is ahead of this question
		number = unknown
	}
	s.numbers[table] = number
	s.memory.changed(of, entries)
	return number, nil
}

// entry is a row of a journal.
type entry struct {
	number  int64
	sets    []int64 // nil: any
	buckets []int32
}

// tooMany is how many transactions are read of a journal: with as many there is little left that is not changed.
const tooMany = 1000

// journal are the entries from a number on, the last first, as many as are worth it. Of a table of which nothing is known only the last matters.
func (s *sight) journal(ctx context.Context, table setTable, from int64) ([]entry, error) {
	limit := tooMany + 1
	if from == 0 {
		limit = 1
	}
	written := pgx.Identifier{table.schema, table.name + "_written"}.Sanitize()
	rows, err := s.db.Query(ctx, fmt.Sprintf(`select number, case when number > $2 then sets end, case when number > $2 then buckets end
		from %s where tenant = $1 and number >= $2 order by number desc limit %d`, written, limit), s.tenant, from)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e entry, err error) {
		err = row.Scan(&e.number, &e.sets, &e.buckets)
		return e, err
	})
}

// number is the transaction up to which a table's are taken into account.
func (m *setMemory) number(of setsOf) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t := m.tables[of]; t != nil {
		return t.number
	}
	return 0
}

// changed forgets what the entries of a journal, the last first, say has changed.
func (m *setMemory) changed(of setsOf, entries []entry) {
	if len(entries) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil {
		t = &keptTable{number: entries[0].number, sets: map[int64]*keptSet{}}
		m.tables[of] = t
		return
	}
	last := entries[0].number
	if entries[len(entries)-1].number > t.number+1 { // those in between are not known
		m.forgetAll(t)
		t.number = last
		return
	}
	for _, e := range slices.Backward(entries) {
		if e.number <= t.number {
			continue
		}
		if e.sets == nil {
			m.forgetAll(t)
		}
		for i, set := range e.sets {
			m.forget(t.sets[set], int(e.buckets[i]), e.number)
		}
		t.number = e.number
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

func (s *keptSet) size() (n int64) {
	for _, r := range s.rows {
		if r != nil {
			n += r.size()
		}
	}
	return n
}

// recall returns the rows that are known of some sets, of the buckets from first to last: nil for those that are not.
func (s *sight) recall(of setsOf, number int64, sets []int64, first, last int) [][]*setRow {
	known := make([][]*setRow, len(sets))
	all := make([]*setRow, len(sets)*(last-first+1))
	for i := range sets {
		known[i], all = all[:last-first+1:last-first+1], all[last-first+1:]
	}
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil || number == unknown {
		return known
	}
	m.turn++
	for i, set := range sets {
		kept := t.sets[set]
		if kept == nil || first >= len(kept.rows) {
			continue
		}
		kept.used = m.turn
		copy(known[i], kept.rows[first:])
		if !s.frozen || t.number <= number {
			continue
		}
		for n, r := range known[i] {
			if r != nil && r.number > number {
				known[i][n] = nil
			}
		}
	}
	return known
}

// keep remembers rows that were read as of a transaction, those that are not nil. What others have seen change since they were read is not kept.
func (m *setMemory) keep(of setsOf, number int64, sets []int64, first int, rows [][]*setRow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[of]
	if t == nil {
		t = &keptTable{number: number, sets: map[int64]*keptSet{}}
		m.tables[of] = t
	}
	if number < t.number {
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
		}
		for n, r := range rows[i] {
			if r == nil || r.number != number {
				continue
			}
			if before := kept.rows[first+n]; before != nil {
				m.size -= before.size()
			}
			kept.rows[first+n] = r
			m.size += r.size()
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
	rows := s.recall(of, number, sets, first, last)
	sql, args := missingRows(table, s.tenant, sets, rows, first, last)
	if sql == "" {
		return rows, nil
	}
	at, err := s.read(ctx, sql, args, sets, rows, first)
	if err != nil {
		return nil, err
	}
	if number != unknown {
		s.memory.keep(of, at, sets, first, rows)
	}
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
	if len(whole)+len(some) == 0 {
		return "", nil
	}
	name := table.sql()
	// As of which transaction the rows are is read by the same statement, as a row of bucket -1.
	sql = fmt.Sprintf("select coalesce((select number from %s where tenant = $1 order by number desc limit 1), 0), -1, repeat('0', %d)::bit(%d)",
		pgx.Identifier{table.schema, table.name + "_written"}.Sanitize(), bucketSize, bucketSize)
	if len(whole) > 0 {
		sql += fmt.Sprintf(" union all (select %[1]s, bucket, bits from %[2]s where tenant = $1 and %[1]s = any(%[3]s::bigint[]) and bucket between %[4]s::int and %[5]s::int)",
			table.key, name, args.bind(whole), args.bind(first), args.bind(last))
	}
	if len(some) > 0 {
		sql += fmt.Sprintf(" union all (select u.s, u.b, x.bits from unnest(%s::bigint[], %s::int[]) u(s, b) "+
			"cross join lateral (select t.bits from %s t where t.tenant = $1 and t.%s = u.s and t.bucket = u.b offset 0) x)",
			args.bind(some), args.bind(buckets), name, table.key)
	}
	return sql, args
}

// read fills in the rows that are nil, and tells as of which transaction they are.
func (s *sight) read(ctx context.Context, sql string, args arguments, sets []int64, rows [][]*setRow, first int) (number int64, err error) {
	places := make(map[int64]int, len(sets))
	for i, set := range sets {
		places[set] = i
	}
	found, err := s.db.Query(ctx, sql, append([]any{planned}, args...)...)
	if err != nil {
		return 0, err
	}
	defer found.Close()
	nobody := &setRow{}
	fresh := []*setRow{nobody}
	for found.Next() {
		var set int64
		var bucket int
		b := new(bitmap)
		if err := found.Scan(&set, &bucket, b); err != nil {
			return 0, err
		}
		if bucket < 0 {
			number = set
			continue
		}
		if at := &rows[places[set]][bucket-first]; *at == nil {
			*at = newSetRow(b)
			fresh = append(fresh, *at)
		}
	}
	if err := found.Err(); err != nil {
		return 0, err
	}
	for i := range rows {
		for n, r := range rows[i] {
			if r == nil {
				rows[i][n] = nobody
			}
		}
	}
	for _, r := range fresh {
		r.number = number
	}
	return number, nil
}
