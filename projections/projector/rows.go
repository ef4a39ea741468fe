package projector

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Table is one table of a fold, as the engine sees it: Rows or Bits.
type Table interface {
	bind(schema, tenant string)
	begin()
	undo()
	missing() bool
	load(batch *pgx.Batch)
	write(batch *pgx.Batch)
	copyNew(ctx context.Context, tx pgx.Tx) error
	written()
	size() (entries, changed int)
	trim(keep int)
	reset()
}

// Rows is a table while events are folded: rows are loaded by key for a whole batch, changed in memory and written back by few
// set-based statements. Key is the one column that, with the tenant, is the table's primary key.
//
// Loaded rows stay in memory. That is safe because nobody changes rows without moving the checkpoint, see package projector.
//
// Slices, maps and what pointers point to must not be changed inside a row but replaced: a failed Apply is undone by putting back
// the shallow copy that Edit made.
type Rows[K comparable, R any] struct {
	name    string
	key     Column[R]
	keyOf   func(*R) *K
	columns []Column[R] // the key first

	gin    string // see Emptying
	whole  bool   // see Whole
	loaded bool   // all rows are in memory

	tenant string
	sql    statements
	rows   map[K]*entry[K, R]
	wanted map[K]struct{}
	undone []undo[K, R]
	turn   uint64        // counts batches, so that trim knows what was used lately
	dirty  []dirty[K, R] // what is to be written, in the order in which it was changed first
}

type entry[K comparable, R any] struct {
	row    R
	stored presence // in the database
	there  bool     // in memory: false for a row that is absent or deleted
	dirty  bool
	used   uint64
}

// dirty is a row that is to be written.
type dirty[K comparable, R any] struct {
	key K
	*entry[K, R]
}

// presence is what is known of a row in the database.
type presence int8

const (
	absent presence = iota
	present
	unknown
)

type undo[K comparable, R any] struct {
	key    K
	before entry[K, R]
	fresh  bool // there was no entry
}

// NewRows describes a table. at is the key's field, kind its SQL type.
func NewRows[K comparable, R any](table, key, kind string, at func(*R) *K, columns ...Column[R]) *Rows[K, R] {
	k := Value(key, kind, at)
	return &Rows[K, R]{
		name: table, key: k, keyOf: at, columns: append([]Column[R]{k}, columns...),
		rows: map[K]*entry[K, R]{}, wanted: map[K]struct{}{},
	}
}

// Whole has all rows of the tenant in memory from the first batch on: for a small table that is looked through. Its rows need not be
// touched.
func (t *Rows[K, R]) Whole() *Rows[K, R] {
	t.whole = true
	return t
}

// All are the rows in memory, in no order; none of them may be changed. Of a Whole table these are all there are.
func (t *Rows[K, R]) All() iter.Seq[*R] {
	return func(yield func(*R) bool) {
		for _, e := range t.rows {
			if e.there && !yield(&e.row) {
				return
			}
		}
	}
}

// Touch asks for a row to be loaded before the batch is applied.
func (t *Rows[K, R]) Touch(key K) {
	if e := t.rows[key]; e != nil {
		e.used = t.turn
		return
	}
	t.wanted[key] = struct{}{}
}

// Columns are the columns in the order in which Adopt takes them, each with an alias of the table in front.
func (t *Rows[K, R]) Columns(alias string) string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = alias + "." + c.name
	}
	return strings.Join(names, ", ")
}

// Adopt takes in rows that a query of the fold's own has read, while nothing is changed that is not written, and returns their keys in the order
// of the query. It closes the rows.
func (t *Rows[K, R]) Adopt(rows pgx.Rows) (keys []K, err error) {
	defer rows.Close()
	err = t.scan(rows, func(key K) { keys = append(keys, key) })
	return keys, err
}

// Edit returns a row to be changed, and false if there is none. It must have been touched, or created.
func (t *Rows[K, R]) Edit(key K) (*R, bool) {
	e := t.rows[key]
	if e == nil || !e.there {
		return nil, false
	}
	t.remember(key, e)
	t.mark(key, e)
	return &e.row, true
}

// Peek returns a row that must not be changed.
func (t *Rows[K, R]) Peek(key K) (*R, bool) {
	e := t.rows[key]
	if e == nil || !e.there {
		return nil, false
	}
	return &e.row, true
}

// Create adds a row that is known to be new: its key was never written before. It need not be touched.
func (t *Rows[K, R]) Create(row R) *R { return t.put(row, absent) }

// Put writes a row whether or not there is one already. It need not be touched.
func (t *Rows[K, R]) Put(row R) *R { return t.put(row, unknown) }

// Delete removes a row if there is one. It need not be touched.
func (t *Rows[K, R]) Delete(key K) {
	e := t.rows[key]
	if e == nil {
		e = t.add(key, unknown)
	} else {
		t.remember(key, e)
	}
	var none R
	e.row, e.there = none, false
	t.mark(key, e)
}

func (t *Rows[K, R]) put(row R, stored presence) *R {
	key := *t.keyOf(&row)
	e := t.rows[key]
	if e == nil {
		e = t.add(key, stored)
	} else {
		t.remember(key, e)
	}
	e.row, e.there = row, true
	t.mark(key, e)
	return &e.row
}

func (t *Rows[K, R]) add(key K, stored presence) *entry[K, R] {
	e := &entry[K, R]{stored: stored}
	t.rows[key] = e
	t.undone = append(t.undone, undo[K, R]{key: key, fresh: true})
	return e
}

func (t *Rows[K, R]) remember(key K, e *entry[K, R]) {
	t.undone = append(t.undone, undo[K, R]{key: key, before: *e})
}

func (t *Rows[K, R]) mark(key K, e *entry[K, R]) {
	e.used = t.turn
	if !e.dirty {
		e.dirty = true
		t.dirty = append(t.dirty, dirty[K, R]{key, e})
	}
}

func (t *Rows[K, R]) bind(schema, tenant string) {
	t.tenant = tenant
	t.sql = newStatements(pgx.Identifier{schema, t.name}, t.columns)
}

// begin starts an event: what it changes from here on can be undone.
func (t *Rows[K, R]) begin() { t.undone = t.undone[:0] }

// undo takes back what was changed since begin.
func (t *Rows[K, R]) undo() {
	for _, u := range slices.Backward(t.undone) {
		e := t.rows[u.key]
		if e.dirty != u.before.dirty { // it was the last to become so
			t.dirty = t.dirty[:len(t.dirty)-1]
		}
		if u.fresh {
			delete(t.rows, u.key)
		} else {
			*e = u.before
		}
	}
	t.begin()
}

// missing reports whether rows were touched that are not in memory.
func (t *Rows[K, R]) missing() bool { return len(t.wanted) > 0 || t.whole && !t.loaded }

// load queues the query for the touched rows. Those that are not found are remembered as absent.
func (t *Rows[K, R]) load(batch *pgx.Batch) {
	if t.whole {
		t.loadAll(batch)
		return
	}
	if len(t.wanted) == 0 {
		return
	}
	keys := slices.Collect(maps.Keys(t.wanted))
	clear(t.wanted)
	batch.Queue(t.sql.load, t.tenant, array(keys)).Query(func(rows pgx.Rows) error {
		if err := t.scan(rows, func(K) {}); err != nil {
			return err
		}
		for _, k := range keys {
			if t.rows[k] == nil {
				t.rows[k] = &entry[K, R]{used: t.turn}
			}
		}
		return nil
	})
}

// loadAll queues the query for all rows of the tenant.
func (t *Rows[K, R]) loadAll(batch *pgx.Batch) {
	clear(t.wanted)
	if t.loaded {
		return
	}
	batch.Queue(t.sql.loadAll, t.tenant).Query(func(rows pgx.Rows) error {
		err := t.scan(rows, func(K) {})
		t.loaded = err == nil
		return err
	})
}

// scan takes in rows that were read, and tells their keys.
func (t *Rows[K, R]) scan(rows pgx.Rows, tell func(K)) error {
	var row, none R
	targets := make([]any, len(t.columns))
	for i, c := range t.columns {
		targets[i] = c.into(&row)
	}
	for rows.Next() {
		e := &entry[K, R]{stored: present, there: true, used: t.turn}
		row = none // a value that is scanned must not share memory with the last row's
		if err := rows.Scan(targets...); err != nil {
			return fmt.Errorf("projector: load %s: %w", t.name, err)
		}
		e.row = row
		key := *t.keyOf(&row)
		t.rows[key] = e
		tell(key)
	}
	return rows.Err()
}

// written is called after the commit: memory and database are the same.
func (t *Rows[K, R]) written() {
	t.begin()
	t.turn++
	for _, e := range t.dirty {
		e.dirty = false
		e.stored = absent
		if e.there {
			e.stored = present
		}
	}
	t.clean()
}

// clean forgets what is to be written, and the memory for much of it.
func (t *Rows[K, R]) clean() {
	clear(t.dirty)
	if t.dirty = t.dirty[:0]; cap(t.dirty) > keepLive {
		t.dirty = nil
	}
}

func (t *Rows[K, R]) size() (entries, changed int) { return len(t.rows), len(t.dirty) }

// trim forgets rows that were not used lately, when there are more than keep; about half of them stay. None may be dirty.
func (t *Rows[K, R]) trim(keep int) {
	if t.whole || len(t.rows) <= keep {
		return
	}
	ages := make([]uint64, 0, len(t.rows))
	for _, e := range t.rows {
		ages = append(ages, e.used)
	}
	slices.Sort(ages)
	limit := ages[len(ages)-keep/2-1]
	for key, e := range t.rows {
		if e.used < limit {
			delete(t.rows, key)
		}
	}
	for key := range t.rows { // all of one age: any will do
		if len(t.rows) <= keep {
			return
		}
		delete(t.rows, key)
	}
}

// reset forgets everything.
func (t *Rows[K, R]) reset() {
	clear(t.rows)
	clear(t.wanted)
	t.undone = nil
	t.dirty = nil
	t.loaded = false
}
