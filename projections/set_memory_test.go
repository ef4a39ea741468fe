package projections

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/customer"
	"customercenter/domain/tag"
	"customercenter/projections/projector"
)

// remembered is a list of customers whose sets change while they are asked for.
type remembered struct {
	*fed
	tags   []uuid.UUID
	people []uuid.UUID
	has    []map[int]bool // by customer: which tags
}

func newRemembered(t *testing.T, people int) *remembered {
	t.Helper()
	r := &remembered{fed: newFed(t)}
	for i := range 5 {
		id := uuid.New()
		r.tags = append(r.tags, id)
		r.append(tag.Stream, uuid.Nil, tag.Created{Tag: id, Name: fmt.Sprint("tag ", i)})
	}
	for i := range people {
		id := uuid.New()
		r.people, r.has = append(r.people, id), append(r.has, map[int]bool{})
		r.append(customer.Stream(id), id, customer.Created{
			Association: 1, Channel: "app", ExternalID: fmt.Sprint("visitor-", i), Via: "inbound", Generation: 1, Profile: customer.Profile{Nickname: fmt.Sprint("v", i)}})
	}
	r.sync()
	return r
}

// change gives or takes a tag, at random.
func (r *remembered) change(random *rand.Rand) {
	who, which := random.IntN(len(r.people)), random.IntN(len(r.tags))
	id := r.people[who]
	if r.has[who][which] {
		r.append(customer.Stream(id), id, customer.Untagged{Tag: r.tags[which]})
	} else {
		r.append(customer.Stream(id), id, customer.Tagged{Tag: r.tags[which]})
	}
	r.has[who][which] = !r.has[who][which]
}

// counts are how many have each tag.
func (r *remembered) counts() map[string]int64 {
	n := map[string]int64{}
	for _, has := range r.has {
		for which, yes := range has {
			if yes {
				n[r.tags[which].String()]++
			}
		}
	}
	return n
}

// shown are the counts beside a list.
func (r *remembered) shown(customers *Customers) map[string]int64 {
	r.t.Helper()
	page, err := customers.List(r.t.Context(), "acme", ListQuery{Facets: []string{FacetTags, FacetChannel}})
	if err != nil {
		r.t.Fatal(err)
	}
	if n := page.Facets[FacetChannel]["app"]; n != int64(len(r.people)) || page.Count.Value != n {
		r.t.Errorf("%d by channel and %d in all, want %d", n, page.Count.Value, len(r.people))
	}
	return page.Facets[FacetTags]
}

// Whoever keeps sets in memory, much or little of them, sees what the database holds.
func TestSetsInMemoryAreThoseOfTheDatabase(t *testing.T) {
	r := newRemembered(t, 40)
	ample := NewCustomers(r.store, r.projector, NewCatalogues(r.store))
	scant := NewCustomers(r.store, r.projector, NewCatalogues(r.store))
	scant.memory = newSetMemory(300) // room for some four rows
	random := rand.New(rand.NewPCG(1, 2))
	for range 30 {
		for range random.IntN(6) {
			r.change(random)
		}
		r.sync()
		want := r.counts()
		for name, c := range map[string]*Customers{"ample": ample, "scant": scant} {
			if got := r.shown(c); !maps.Equal(got, want) {
				t.Fatalf("with a memory that is %s: %v, want %v", name, got, want)
			}
		}
		if size := scant.memory.size; size > 300 {
			t.Fatalf("%d bytes are kept, at most 300", size)
		}
	}
	measured := int64(0)
	for _, table := range ample.memory.tables {
		for _, set := range table.sets {
			measured += set.size()
		}
	}
	if measured != ample.memory.size || measured == 0 {
		t.Errorf("%d bytes are reckoned with, %d are kept", ample.memory.size, measured)
	}
}

// What is in memory is not read again, and of what has changed only that.
func TestOnlyChangedRowsAreReadAgain(t *testing.T) {
	r := newRemembered(t, 3)
	schema := r.sync().Schema
	memory, table := newSetMemory(1<<20), setTable{schema, "customer_bits", "facet"}
	keys := tagFacets(r.tags)
	slices.Sort(keys)
	read := func() (fresh []int64) {
		t.Helper()
		s := &sight{memory: memory, db: r.store.Pool(), tenant: "acme", numbers: map[setTable]int64{}}
		number, err := s.look(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		known := s.recall(setsOf{table, "acme"}, number, keys, 0, 2)
		rows, err := s.rows(t.Context(), table, keys, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, key := range keys {
			for b := range rows[i] {
				if known[i][b] == nil {
					fresh = append(fresh, key)
				} else if known[i][b] != rows[i][b] {
					t.Error("a row that is known was replaced")
				}
			}
		}
		return fresh
	}
	if fresh := read(); len(fresh) != 3*len(keys) {
		t.Errorf("at first %v are read", fresh)
	}
	if fresh := read(); fresh != nil {
		t.Errorf("then %v are read", fresh)
	}
	id := r.people[0]
	r.append(customer.Stream(id), id, customer.Tagged{Tag: r.tags[2]})
	r.sync()
	if fresh := read(); !slices.Equal(fresh, tagFacets(r.tags[2:3])) {
		t.Errorf("after a change of %v %v are read", tagFacets(r.tags[2:3]), fresh)
	}
	if _, err := r.store.Pool().Exec(t.Context(), `insert into `+pgx.Identifier{schema, "customer_bits_written"}.Sanitize()+
		` select tenant, max(number) + 1 from `+pgx.Identifier{schema, "customer_bits_written"}.Sanitize()+` group by tenant`); err != nil {
		t.Fatal(err)
	}
	if fresh := read(); len(fresh) != 3*len(keys) {
		t.Errorf("after a change of anything %v are read", fresh)
	}
}

// A question as of one instant is answered as of it, whatever others have learned since; and they do not take what it read for new.
func TestMemoryKeepsInstantsApart(t *testing.T) {
	r := newRemembered(t, 3)
	table := setTable{r.sync().Schema, "customer_bits", "facet"}
	memory, of := newSetMemory(1<<20), setsOf{table, "acme"}
	id, keys := r.people[0], tagFacets(r.tags[:1])
	count := func(s *sight) int {
		t.Helper()
		rows, err := s.rows(t.Context(), table, keys, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return rows[0][0].count
	}
	now := func() *sight {
		return &sight{memory: memory, db: r.store.Pool(), tenant: "acme", numbers: map[setTable]int64{}}
	}
	frozen := func(do func(s *sight)) {
		t.Helper()
		err := pgx.BeginTxFunc(t.Context(), r.store.Pool(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(context.Background(), `select 1`); err != nil { // takes the snapshot
				return err
			}
			s := now()
			s.db, s.frozen = tx, true
			do(s)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tagged := func() {
		t.Helper()
		r.append(customer.Stream(id), id, customer.Tagged{Tag: r.tags[0]})
		r.sync()
	}
	frozen(func(s *sight) {
		if _, err := s.look(t.Context(), table); err != nil {
			t.Fatal(err)
		}
		tagged()
		if n := count(now()); n != 1 {
			t.Errorf("now %d have the tag", n)
		}
		if n := count(s); n != 0 {
			t.Errorf("as of before %d have it", n)
		}
		if n := count(now()); n != 1 {
			t.Errorf("afterwards %d have it", n)
		}
	})
	// One that looks when the memory is ahead already.
	frozen(func(s *sight) {
		r.append(customer.Stream(id), id, customer.Untagged{Tag: r.tags[0]})
		r.sync()
		if n := count(now()); n != 0 {
			t.Errorf("now %d have the tag", n)
		}
		if n := count(s); n != 1 {
			t.Errorf("as of before %d have it", n)
		}
	})
	if n := count(now()); n != 0 || memory.tables[of] == nil {
		t.Errorf("at last %d have the tag", n)
	}
}

// A memory that has missed a part of the journal forgets all.
func TestAGapInTheJournalEmptiesTheMemory(t *testing.T) {
	memory, of := newSetMemory(1<<20), setsOf{setTable{"s", "customer_bits", "facet"}, "acme"}
	row := newSetRow(everyone)
	row.number = 5
	memory.keep(of, 5, []int64{1, 2}, 0, [][]*setRow{{row}, {row}})
	memory.changed(of, []entry{{number: 6, sets: []int64{1}, buckets: []int32{projector.EveryBucket}}, {number: 5}})
	if memory.tables[of].sets[1].rows[0] != nil || memory.tables[of].sets[2].rows[0] != row || memory.size != row.size() {
		t.Errorf("after a set was dropped: %+v", memory.tables[of])
	}
	memory.changed(of, []entry{{number: 9, sets: []int64{}}, {number: 8, sets: []int64{}}})
	if len(memory.tables[of].sets) != 0 || memory.size != 0 || memory.tables[of].number != 9 {
		t.Errorf("after a gap: %+v", memory.tables[of])
	}
	memory.keep(of, 8, []int64{1}, 0, [][]*setRow{{row}})
	if len(memory.tables[of].sets) != 0 {
		t.Error("what has changed since it was read is kept")
	}
}

// Many ask while many change things; in the end everybody sees the end.
func TestMemoryWhileSetsChange(t *testing.T) {
	r := newRemembered(t, 60)
	customers := NewCustomers(r.store, r.projector, NewCatalogues(r.store))
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				if _, err := customers.List(ctx, "acme", ListQuery{Facets: []string{FacetTags}}); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		r.change(random)
	}
	r.sync()
	stop()
	readers.Wait()
	if got, want := r.shown(customers), r.counts(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
