package projector

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"customercenter/eventstore/tenancy"
)

// BitsPerRow is how many ordinals a row of a table of Bits has.
const BitsPerRow = 16384

// Bits is a table of sets of ordinals, as bitmaps: one row for every set and bucket (ordinal / BitsPerRow) with a bit for each of the
// bucket's ordinals, 0 the leftmost. Its columns are tenant, the set's number, bucket int and bits bit(16384), its primary key is all
// but the last. A row without a bit is deleted, so that tables with the same sets are equal.
//
// Nothing is loaded: a batch's changes are gathered in memory and joined with the rows when it is written, in sorted order. To set what
// is set, or to clear what is not, changes nothing; of several changes of one ordinal in one set the last counts.
//
// Beside it there is a journal for readers who keep rows in memory, the table <name>_written (tenant, number, token, changes, sets, buckets, see customers.sql): which rows each
// transaction may have changed, numbered 1, 2, 3 … in the order of the commits. Bucket -1 is all of a set; null is all of the tenant. changes is
// how many rows are named, and token tells a number from the same one in another life of the table, before a restore or in another build. The last
// 4096 transactions are kept. It does not follow from the log: see Definition.Aside.
type Bits struct {
	name, key string

	tenant  string
	sql     bitsStatements
	changes map[bitmap]*[]change
	undone  []*[]change // since begin, in order
	dropped []int64     // sets that end
	kept    int         // how many of them there were at begin
}

// bitmap names a row.
type bitmap struct {
	set    int64
	bucket int32
}

// change is the place of a bit in its row, and whether it is to be cleared.
type change uint16

const (
	bitPlace change = BitsPerRow - 1
	cleared  change = 1 << 15
)

// bitsStatements have the tenant as $1 and one array for each other column.
type bitsStatements struct {
	byMask, byPlace maskStatements
	drop, note      string
}

// maskStatements change rows by masks, each a bitmap of what is to be set or cleared.
type maskStatements struct{ set, empty, clear string }

// How many transactions the journal tells of, how many of them it forgets at once, and how many rows of one it names.
const (
	journalKept = 4096
	journalOnce = 256
	journalRows = 2048
)

// EveryBucket stands in the journal of a table of Bits for all rows of a set.
const EveryBucket = -1

// NewBits describes a table. key is the column of the set's number, a bigint.
func NewBits(table, key string) *Bits {
	return &Bits{name: table, key: key, changes: map[bitmap]*[]change{}}
}

// Set adds an ordinal, 0 or more, to a set.
func (t *Bits) Set(set, ordinal int64) { t.change(set, ordinal, 0) }

// Clear takes an ordinal out of a set.
func (t *Bits) Clear(set, ordinal int64) { t.change(set, ordinal, cleared) }

// Drop ends a set: no ordinal is in it any more, nor will ever be again.
func (t *Bits) Drop(set int64) { t.dropped = append(t.dropped, set) }

func (t *Bits) change(set, ordinal int64, how change) {
	at := bitmap{set, int32(ordinal / BitsPerRow)}
	changes := t.changes[at]
	if changes == nil {
		changes = new([]change)
		t.changes[at] = changes
	}
	*changes = append(*changes, change(ordinal%BitsPerRow)|how)
	t.undone = append(t.undone, changes)
}

func (t *Bits) bind(schema, tenant string) {
	t.tenant = tenant
	table := pgx.Identifier{schema, t.name}.Sanitize()
	t.sql = bitsStatements{
		byMask: newMaskStatements(table, t.key, "unnest($2::bigint[], $3::int[], $4::bit(16384)[]) u(set, bucket, bits)"),
		byPlace: newMaskStatements(table, t.key, `(select set, bucket, bit_or(set_bit(0::bit(16384), place, 1)) from unnest($2::bigint[], $3::int[], $4::int[]) p(set, bucket, place)
			group by set, bucket order by set, bucket) u(set, bucket, bits)`),
		drop: fmt.Sprintf("delete from %s t where t.tenant = $1 and t.%s = any($2::bigint[])", table, t.key),
		// The lock on the checkpoint has one transaction after the other get here.
		note: fmt.Sprintf(`with last as (select coalesce((select w.number from %[1]s w where w.tenant = $1 order by w.number desc limit 1), 0) as number),
			old as (delete from %[1]s w using last where w.tenant = $1 and last.number %% %[3]d = 0 and w.number between last.number - %[2]d - 2 * %[3]d and last.number - %[2]d)
			insert into %[1]s (tenant, number, changes, sets, buckets) select $1, last.number + 1, coalesce(cardinality($2::bigint[]), 0), $2::bigint[], $3::int[] from last`,
			pgx.Identifier{schema, t.name + "_written"}.Sanitize(), journalKept, journalOnce),
	}
}

// newMaskStatements has masks come from u. Rows are looked up one by one, see byKey. The conditions spare a row that would stay what it is a new version of itself.
func newMaskStatements(table, key, u string) maskStatements {
	insert := fmt.Sprintf("insert into %s as t (tenant, %s, bucket, bits) select $1, u.set, u.bucket, u.bits from %s", table, key, u)
	there := fmt.Sprintf("cross join lateral (select ctid as place, bits from %s where tenant = $1 and %s = u.set and bucket = u.bucket offset 0) b", table, key)
	change := fmt.Sprintf("on conflict (tenant, %s, bucket) do update set bits = ", key)
	return maskStatements{
		set:   insert + " " + change + "t.bits | excluded.bits where bit_count(excluded.bits & ~t.bits) > 0",
		empty: fmt.Sprintf("delete from %s t using %s %s where bit_count(b.bits & ~u.bits) = 0 and t.ctid = b.place", table, u, there),
		clear: insert + " " + there + " where bit_count(b.bits & u.bits) > 0 " + change + "t.bits & ~excluded.bits",
	}
}

func (t *Bits) begin() { t.undone, t.kept = t.undone[:0], len(t.dropped) }

func (t *Bits) undo() {
	for _, changes := range t.undone {
		*changes = (*changes)[:len(*changes)-1]
	}
	t.dropped = t.dropped[:t.kept]
	t.begin()
}

func (t *Bits) missing() bool   { return false }
func (t *Bits) load(*pgx.Batch) {}

// masks are bits of rows: which rows, and which of their bits. Few bits of a row travel as their places: 28 bytes each instead of 2 kB, and it is mostly few.
type masks struct {
	sets, placeSets       []int64
	buckets, placeBuckets []int32
	bits                  []pgtype.Bits
	places                []int32
}

// fewPlaces is for how many changes of a row Postgres makes the mask.
const fewPlaces = 8

func (m *masks) add(at bitmap, bits []byte) {
	if bits == nil {
		return
	}
	m.sets, m.buckets = append(m.sets, at.set), append(m.buckets, at.bucket)
	m.bits = append(m.bits, pgtype.Bits{Bytes: bits, Len: BitsPerRow, Valid: true})
}

func (m *masks) addPlace(at bitmap, c change) {
	m.placeSets, m.placeBuckets, m.places = append(m.placeSets, at.set), append(m.placeBuckets, at.bucket), append(m.places, int32(c&bitPlace))
}

func (m *masks) queue(tenant string, batch *pgx.Batch, byMask, byPlace string) {
	if len(m.sets) > 0 {
		batch.Queue(byMask, tenant, array(m.sets), array(m.buckets), array(m.bits))
	}
	if len(m.places) > 0 {
		batch.Queue(byPlace, tenant, array(m.placeSets), array(m.placeBuckets), array(m.places))
	}
}

// bitsAtOnce is how many rows one statement writes: two megabytes for a thousand.
const bitsAtOnce = 1000

// write queues the statements that bring the changes into the database.
func (t *Bits) write(batch *pgx.Batch) {
	for piece := range t.pieces() {
		t.queue(piece, batch)
	}
	if len(t.dropped) > 0 {
		batch.Queue(tenancy.ByIndex)
		batch.Queue(t.sql.drop, t.tenant, t.dropped)
	}
	if len(t.changes)+len(t.dropped) > 0 {
		sets, buckets := t.journal()
		batch.Queue(t.sql.note, t.tenant, sets, buckets)
	}
}

// journal names the rows that change; nil if they are too many.
func (t *Bits) journal() (sets []int64, buckets []int32) {
	if len(t.changes)+len(t.dropped) > journalRows {
		return nil, nil
	}
	for at := range t.changes {
		sets, buckets = append(sets, at.set), append(buckets, at.bucket)
	}
	for _, set := range t.dropped {
		sets, buckets = append(sets, set), append(buckets, EveryBucket)
	}
	return sets, buckets
}

// copyNew writes changes of many rows, piece by piece, so that they are never all in memory as bitmaps.
func (t *Bits) copyNew(ctx context.Context, tx pgx.Tx) error {
	for piece := range t.pieces() {
		batch := &pgx.Batch{}
		t.queue(piece, batch)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("projector: write %s: %w", t.name, err)
		}
	}
	if len(t.dropped) > 0 {
		if _, err := tx.Exec(ctx, t.sql.drop, t.tenant, t.dropped); err != nil {
			return fmt.Errorf("projector: drop from %s: %w", t.name, err)
		}
	}
	if len(t.changes)+len(t.dropped) > 0 {
		if _, err := tx.Exec(ctx, t.sql.note, t.tenant, nil, nil); err != nil {
			return fmt.Errorf("projector: write %s_written: %w", t.name, err)
		}
	}
	return nil
}

// pieces are the rows that change, sorted, so many at once as one statement takes.
func (t *Bits) pieces() iter.Seq[[]bitmap] {
	return slices.Chunk(slices.SortedFunc(maps.Keys(t.changes), func(a, b bitmap) int {
		return cmp.Or(cmp.Compare(a.set, b.set), cmp.Compare(a.bucket, b.bucket))
	}), bitsAtOnce)
}

func (t *Bits) queue(rows []bitmap, batch *pgx.Batch) {
	var set, clear masks
	for _, at := range rows {
		changes := *t.changes[at]
		if len(changes) > fewPlaces {
			on, off := masksOf(changes)
			set.add(at, on)
			clear.add(at, off)
			continue
		}
		for i, c := range changes {
			switch {
			case slices.ContainsFunc(changes[i+1:], func(later change) bool { return later&bitPlace == c&bitPlace }):
			case c&cleared != 0:
				clear.addPlace(at, c)
			default:
				set.addPlace(at, c)
			}
		}
	}
	byMask, byPlace := &t.sql.byMask, &t.sql.byPlace
	set.queue(t.tenant, batch, byMask.set, byPlace.set) // first: a row that gets a bit and loses another is not empty in between
	if len(clear.sets)+len(clear.places) > 0 {
		batch.Queue(tenancy.ByIndex)
	}
	clear.queue(t.tenant, batch, byMask.empty, byPlace.empty)
	clear.queue(t.tenant, batch, byMask.clear, byPlace.clear)
}

// masksOf are the bits of a row that are to be set, and those that are to be cleared; nil if there are none. The last change of a bit counts.
func masksOf(changes []change) (on, off []byte) {
	var seen [BitsPerRow / 8]byte
	for _, c := range slices.Backward(changes) {
		i, bit := c&bitPlace/8, byte(0x80)>>(c&bitPlace%8)
		if seen[i]&bit != 0 {
			continue
		}
		seen[i] |= bit
		mask := &on
		if c&cleared != 0 {
			mask = &off
		}
		if *mask == nil {
			*mask = make([]byte, BitsPerRow/8)
		}
		(*mask)[i] |= bit
	}
	return on, off
}

func (t *Bits) written() { t.reset() }

// size counts the rows that change. None is kept in memory.
func (t *Bits) size() (entries, changed int) { return 0, len(t.changes) + len(t.dropped) }

func (t *Bits) trim(int) {}

func (t *Bits) reset() {
	clear(t.changes)
	t.undone, t.dropped, t.kept = nil, nil, 0
}
