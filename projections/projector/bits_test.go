package projector

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"pgregory.net/rapid"

	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
)

// member is an ordinal in a set.
type member struct{ set, ordinal int64 }

// sets is a table of bits on a real database.
type sets struct {
	t     testing.TB
	store *eventstore.Store
	b     Build
	*Bits
}

func newSets(t testing.TB) *sets {
	t.Helper()
	store := projectionstest.Store(t, tenant, "other")
	d := ledgerOf(one)
	d.Tables = `create table members (tenant text not null, facet bigint not null, bucket int not null, bits bit(16384) not null, primary key (tenant, facet, bucket));
		create table members_written (tenant text not null, number bigint not null, token uuid not null default gen_random_uuid(), changes int not null, sets bigint[], buckets int[], primary key (tenant, number));`
	b, err := ledgers(t, store, one).create(t.Context(), &d, StatusBuilding)
	if err != nil {
		t.Fatal(err)
	}
	s := &sets{t: t, store: store, b: b}
	s.again(tenant)
	return s
}

// again is another fold's view of the same table.
func (s *sets) again(tenant string) {
	s.Bits = NewBits("members", "facet")
	s.bind(s.b.Schema, tenant)
}

func (s *sets) flush() {
	s.t.Helper()
	batch := &pgx.Batch{}
	s.write(batch)
	if batch.Len() > 0 {
		if err := s.store.Pool().SendBatch(s.t.Context(), batch).Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	s.written()
}

func (s *sets) flushMany() {
	s.t.Helper()
	err := pgx.BeginFunc(s.t.Context(), s.store.Pool(), func(tx pgx.Tx) error { return s.copyNew(s.t.Context(), tx) })
	if err != nil {
		s.t.Fatal(err)
	}
	s.written()
}

// read returns all members, sorted, and fails if a row is empty.
func (s *sets) read(tenant string) []member {
	s.t.Helper()
	rows, err := s.store.Pool().Query(s.t.Context(), `select facet, bucket, bits from `+s.b.Schema+`.members where tenant = $1`, tenant)
	if err != nil {
		s.t.Fatal(err)
	}
	members := []member{}
	var set, bucket int64
	var bits pgtype.Bits
	if _, err := pgx.ForEachRow(rows, []any{&set, &bucket, &bits}, func() error {
		before := len(members)
		for i := range int64(bits.Len) {
			if bits.Bytes[i/8]>>(7-i%8)&1 == 1 {
				members = append(members, member{set, bucket*BitsPerRow + i})
			}
		}
		if len(members) == before {
			s.t.Errorf("set %d has an empty row for bucket %d", set, bucket)
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	return sorted(members)
}

func sorted(members []member) []member {
	slices.SortFunc(members, func(a, b member) int { return cmp.Or(cmp.Compare(a.set, b.set), cmp.Compare(a.ordinal, b.ordinal)) })
	return members
}

func (s *sets) want(members ...member) {
	s.t.Helper()
	if got := s.read(tenant); !slices.Equal(got, sorted(members)) {
		s.t.Fatalf("the table holds %v, want %v", got, members)
	}
}

func TestBitsAreWhereTheirOrdinalsAre(t *testing.T) {
	s := newSets(t)
	for _, ordinal := range []int64{0, 1, 7, 8, 16383, 16384, 16385, 5_000_000} {
		s.Set(3, ordinal)
	}
	s.Set(-4, 1)
	s.flush()
	s.want(member{-4, 1}, member{3, 0}, member{3, 1}, member{3, 7}, member{3, 8}, member{3, 16383}, member{3, 16384}, member{3, 16385}, member{3, 5_000_000})
	// The place of a bit is the one that queries reckon with.
	var set int
	if err := s.store.Pool().QueryRow(t.Context(), `select get_bit(bits, $1) from `+s.b.Schema+`.members where facet = 3 and bucket = 305`, 5_000_000%BitsPerRow).Scan(&set); err != nil || set != 1 {
		t.Errorf("bit %d, %v", set, err)
	}
}

func TestTheLastChangeOfABitCounts(t *testing.T) {
	s := newSets(t)
	s.Set(1, 10)
	s.Clear(1, 10) // before it was ever written
	s.Clear(1, 11)
	s.Set(1, 11)
	s.Set(2, 10)
	s.flush()
	s.want(member{1, 11}, member{2, 10})
	s.Clear(1, 12) // is not there
	s.Clear(9, 12) // nor is the set
	s.Set(1, 11)   // is there
	s.Clear(2, 10)
	s.flush()
	s.want(member{1, 11})
	s.Set(1, 13)
	s.Clear(1, 11)
	s.flush()
	s.want(member{1, 13})
	s.Set(2, 10) // a row that was empty comes back
	s.Clear(1, 13)
	s.flush()
	s.want(member{2, 10})
}

func TestUndoneBitsAreNotWritten(t *testing.T) {
	s := newSets(t)
	s.begin()
	s.Set(1, 1)
	s.Set(1, 2)
	s.begin()
	s.Clear(1, 1)
	s.Set(1, 3)
	s.Set(5, 5)
	s.undo()
	s.begin()
	s.Set(1, 4)
	s.flush()
	s.want(member{1, 1}, member{1, 2}, member{1, 4})
	s.Set(1, 6)
	s.reset()
	s.flush()
	s.want(member{1, 1}, member{1, 2}, member{1, 4})
}

func TestTenantsHaveSetsOfTheirOwn(t *testing.T) {
	s := newSets(t)
	s.Set(1, 1)
	s.flush()
	s.again("other")
	s.Set(1, 2)
	s.flush()
	s.Clear(1, 1)
	s.Clear(1, 2)
	s.flush()
	if got := s.read("other"); len(got) != 0 {
		t.Errorf("the other tenant has %v", got)
	}
	s.want(member{1, 1})
}

// A row that stays what it is gets no new version.
func TestNothingIsWrittenThatIsThere(t *testing.T) {
	s := newSets(t)
	s.Set(1, 1)
	s.Set(1, 2)
	s.flush()
	version := func() (id string) {
		t.Helper()
		if err := s.store.Pool().QueryRow(t.Context(), `select ctid::text from `+s.b.Schema+`.members`).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := version()
	s.Set(1, 2)
	s.Clear(1, 3)
	s.flush()
	if after := version(); after != before {
		t.Error("a row was written anew")
	}
	s.Clear(1, 2)
	s.flush()
	if after := version(); after == before {
		t.Error("a row that changed was not written")
	}
}

// However changes are cut into batches, undone and written, the table holds what a set in memory holds.
func TestBitsAreAModelOfSets(t *testing.T) {
	s := newSets(t)
	rapid.Check(t, func(r *rapid.T) {
		if _, err := s.store.Pool().Exec(t.Context(), `truncate `+s.b.Schema+`.members`); err != nil {
			r.Fatal(err)
		}
		s.again(tenant)
		model := map[member]bool{}
		for range rapid.IntRange(1, 6).Draw(r, "batches") {
			for range rapid.IntRange(0, 40).Draw(r, "events") {
				s.begin()
				before := maps.Clone(model)
				for range rapid.IntRange(0, 5).Draw(r, "changes") {
					m := member{rapid.Int64Range(1, 4).Draw(r, "set"), 16380 + rapid.Int64Range(0, 8).Draw(r, "ordinal")}
					if rapid.Bool().Draw(r, "on") {
						s.Set(m.set, m.ordinal)
						model[m] = true
					} else {
						s.Clear(m.set, m.ordinal)
						delete(model, m)
					}
				}
				if rapid.IntRange(0, 4).Draw(r, "fails") == 0 {
					s.undo()
					model = before
				}
			}
			if rapid.Bool().Draw(r, "many") {
				s.flushMany()
			} else {
				s.flush()
			}
		}
		if got := s.read(tenant); !slices.Equal(got, sorted(slices.Collect(maps.Keys(model)))) {
			r.Fatalf("the table holds %v, want %v", got, model)
		}
	})
}

// What readers who keep rows in memory are told.
func TestTheJournalNamesTheRowsThatWereWritten(t *testing.T) {
	s := newSets(t)
	type entry struct {
		Number  int64
		Sets    []int64
		Buckets []int32
	}
	journal := func(tenant string) []entry {
		t.Helper()
		rows, err := s.store.Pool().Query(t.Context(), `select number, sets, buckets from `+s.b.Schema+`.members_written where tenant = $1 order by number`, tenant)
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[entry])
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	want := func(tenant string, want ...entry) {
		t.Helper()
		if got := journal(tenant); !reflect.DeepEqual(got, want) {
			t.Fatalf("the journal of %s says %+v, want %+v", tenant, got, want)
		}
	}
	s.flush() // nothing
	s.Set(1, 1)
	s.Set(1, 2)
	s.flush()
	s.Clear(1, BitsPerRow)
	s.flush()
	s.Drop(7)
	s.flush()
	first := []entry{{1, []int64{1}, []int32{0}}, {2, []int64{1}, []int32{1}}, {3, []int64{7}, []int32{EveryBucket}}}
	want(tenant, first...)
	for set := range int64(journalRows + 1) {
		s.Set(set, set)
	}
	s.flush()
	s.Set(1, 3)
	s.flushMany()
	want(tenant, append(first, entry{Number: 4}, entry{Number: 5})...)

	s.again("other")
	s.Set(1, 1)
	s.flush()
	want("other", first[0])

	// Only the last transactions are kept. From time to time, some are forgotten.
	if _, err := s.store.Pool().Exec(t.Context(), `update `+s.b.Schema+`.members_written set number = $1 where tenant = 'other'`, 3*journalKept); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.Pool().Exec(t.Context(), `insert into `+s.b.Schema+`.members_written (tenant, number, changes) select 'other', n, 0 from generate_series($1::int, $1 + 3) n`, 2*journalKept-2); err != nil {
		t.Fatal(err)
	}
	s.Set(1, 2)
	s.flush()
	if got := journal("other"); len(got) != 3 || got[0].Number != 2*journalKept+1 || got[2].Number != 3*journalKept+1 {
		t.Errorf("kept: %+v", got)
	}
	want(tenant, append(first, entry{Number: 4}, entry{Number: 5})...)
}

// More rows than one statement takes.
func TestManyRowsAreWrittenAtOnce(t *testing.T) {
	for name, flush := range map[string]func(s *sets){"batch": (*sets).flush, "rebuild": (*sets).flushMany} {
		t.Run(name, func(t *testing.T) {
			s := newSets(t)
			var members []member
			for set := range int64(2*bitsAtOnce + 1) {
				s.Set(set, set)
				members = append(members, member{set, set})
			}
			if _, changed := s.size(); changed != len(members) {
				t.Errorf("%d rows are to be written", changed)
			}
			flush(s)
			s.want(members...)
			for _, m := range members {
				s.Clear(m.set, m.ordinal)
			}
			flush(s)
			s.want()
		})
	}
}
