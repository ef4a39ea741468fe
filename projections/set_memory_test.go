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

// at asks as of one instant.
func (r *remembered) at(memory *setMemory, do func(s *sight)) {
	r.t.Helper()
	err := pgx.BeginTxFunc(r.t.Context(), r.store.Pool(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(context.Background(), `select 1`); err != nil { // takes the snapshot
			return err
		}
		do(newSight(memory, tx, "acme"))
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
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
		r.at(memory, func(s *sight) {
			at, err := s.look(t.Context(), table)
			if err != nil {
				t.Fatal(err)
			}
			known := memory.recall(setsOf{table, "acme"}, at, keys, 0, 2)
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
		})
		return fresh
	}
	all := 3 * len(keys)
	if fresh := read(); len(fresh) != all {
		t.Errorf("at first %v are read", fresh)
	}
	if fresh := read(); fresh != nil {
		t.Errorf("then %v are read", fresh)
	}
	id := r.people[0]
	tag := func(which int) {
		t.Helper()
		r.append(customer.Stream(id), id, customer.Tagged{Tag: r.tags[which]})
		r.sync()
	}
	tag(2)
	if fresh := read(); !slices.Equal(fresh, tagFacets(r.tags[2:3])) {
		t.Errorf("after a change of %v %v are read", tagFacets(r.tags[2:3]), fresh)
	}
	journal := table.journal()
	exec := func(sql string) {
		t.Helper()
		if _, err := r.store.Pool().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`update ` + journal + ` set changes = 1000000`)
	tag(3)
	if fresh := read(); !slices.Equal(fresh, tagFacets(r.tags[3:4])) {
		t.Errorf("after many changes that are known already, and one, %v are read", fresh)
	}
	exec(`insert into ` + journal + ` (tenant, number, changes) select tenant, max(number) + 1, 0 from ` + journal + ` group by tenant`)
	if fresh := read(); len(fresh) != all {
		t.Errorf("after a change of anything %v are read", fresh)
	}
	tag(1)
	exec(`update ` + journal + ` set changes = 1000000 where number = (select max(number) from ` + journal + `)`)
	if fresh := read(); len(fresh) != all {
		t.Errorf("after too many changes %v are read", fresh)
	}
	// The database goes on from an earlier instant, and gets to the same number by other ways.
	exec(`delete from ` + journal + ` where number = (select max(number) from ` + journal + `)`)
	if fresh := read(); len(fresh) != all {
		t.Errorf("as of before all was read %v are read", fresh)
	}
	tag(3)
	if fresh := read(); len(fresh) != all {
		t.Errorf("after another life of the database %v are read", fresh)
	}
	exec(`update ` + journal + ` set token = gen_random_uuid()`)
	if fresh := read(); len(fresh) != all {
		t.Errorf("of another table %v are read", fresh)
	}
	exec(`delete from ` + journal)
	if fresh := read(); len(fresh) != all {
		t.Errorf("of a table that was made anew %v are read", fresh)
	}
	tag(4)
	if fresh := read(); !slices.Equal(fresh, tagFacets(r.tags[4:5])) {
		t.Errorf("after its first change %v are read", fresh)
	}
}

// A question is answered as of its instant, whatever others have learned since; and they do not take what it read for new.
func TestMemoryKeepsInstantsApart(t *testing.T) {
	r := newRemembered(t, 3)
	table := setTable{r.sync().Schema, "customer_bits", "facet"}
	memory := newSetMemory(1 << 20)
	id := r.people[0]
	counts := func(s *sight) (n [2]int) {
		t.Helper()
		for i := range n {
			rows, err := s.rows(t.Context(), table, tagFacets(r.tags[i:i+1]), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			n[i] = rows[0][0].count
		}
		return n
	}
	want := func(when string, s *sight, want [2]int) {
		t.Helper()
		if got := counts(s); got != want {
			t.Errorf("%s: %v have the tags, want %v", when, got, want)
		}
	}
	look := func(s *sight) {
		t.Helper()
		if _, err := s.look(t.Context(), table); err != nil {
			t.Fatal(err)
		}
	}
	exchange := func(give, take int) { // one tag for the other
		t.Helper()
		r.append(customer.Stream(id), id, customer.Tagged{Tag: r.tags[give]}, customer.Untagged{Tag: r.tags[take]})
		r.sync()
	}
	exchange(0, 1)
	r.at(memory, func(before *sight) {
		look(before)
		r.at(memory, func(s *sight) { want("at first", s, [2]int{1, 0}) })
		exchange(1, 0)
		r.at(memory, func(s *sight) { want("then", s, [2]int{0, 1}) })
		want("as of before", before, [2]int{1, 0})
		r.at(memory, func(s *sight) { want("after that", s, [2]int{0, 1}) })
	})
	// One that looks when the memory is ahead already, and one that has looked and reads later.
	r.at(memory, func(late *sight) {
		r.at(memory, func(slow *sight) {
			look(slow)
			exchange(0, 1)
			r.at(memory, func(s *sight) {
				look(s)
				want("as of before, read later", slow, [2]int{0, 1})
				want("now", s, [2]int{1, 0})
			})
			want("as of before, looked at later", late, [2]int{0, 1})
			r.at(memory, func(s *sight) { want("at last", s, [2]int{1, 0}) })
		})
	})
}

// What a slow question has read is kept although others are ahead of it by then, but for what has changed meanwhile.
func TestWhatASlowQuestionReadsIsKept(t *testing.T) {
	r := newRemembered(t, 3)
	table := setTable{r.sync().Schema, "customer_bits", "facet"}
	memory, of := newSetMemory(1<<20), setsOf{table, "acme"}
	keys := tagFacets(r.tags[:2])
	give := func(which int) {
		t.Helper()
		r.append(customer.Stream(r.people[0]), r.people[0], customer.Tagged{Tag: r.tags[which]})
		r.sync()
	}
	look := func(s *sight) seen {
		t.Helper()
		at, err := s.look(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	r.at(memory, func(slow *sight) {
		look(slow)
		give(1)
		r.at(memory, func(s *sight) { look(s) })
		if _, err := slow.rows(t.Context(), table, keys, 0, 0); err != nil {
			t.Fatal(err)
		}
	})
	r.at(memory, func(s *sight) {
		if known := memory.recall(of, look(s), keys, 0, 0); known[0][0] == nil || known[1][0] != nil {
			t.Errorf("known are %v: the first tag has not changed, the second has", known)
		}
	})
	// Of another life of the table nothing is taken, nor given.
	r.at(memory, func(old *sight) {
		at := look(old)
		if _, err := r.store.Pool().Exec(t.Context(), `update `+table.journal()+` set token = gen_random_uuid()`); err != nil {
			t.Fatal(err)
		}
		r.at(memory, func(s *sight) { look(s) })
		if known := memory.recall(of, at, keys, 0, 0); known[0][0] != nil {
			t.Error("a question of a former life is given what is known now")
		}
		if _, err := old.rows(t.Context(), table, keys, 0, 0); err != nil {
			t.Fatal(err)
		}
	})
	r.at(memory, func(s *sight) {
		if known := memory.recall(of, look(s), keys, 0, 0); known[0][0] != nil || known[1][0] != nil {
			t.Errorf("of a former life %v are known", known)
		}
	})
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
