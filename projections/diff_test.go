package projections

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// diff compares two moments, and gathers the differences.
func (w *groupWorld) diff(from, to projector.Moment) (*Diff, map[uuid.UUID]Difference) {
	w.t.Helper()
	d, err := NewGroups(w.store, w.p, NewCatalogues(w.store)).Diff(w.t.Context(), groupTenant, from, to)
	if err != nil {
		w.t.Fatal(err)
	}
	if from.Position%2 == 1 { // it looks again and again
		d.most = 3
	}
	all := map[uuid.UUID]Difference{}
	var last uuid.UUID
	for more := true; more; {
		var page []Difference
		if page, more, err = d.Next(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		for _, one := range page {
			if slices.Compare(one.Customer[:], last[:]) <= 0 {
				w.t.Fatalf("%s comes after %s", one.Customer, last)
			}
			last = one.Customer
			all[one.Customer] = one
		}
	}
	return d, all
}

// moment is now.
func (w *groupWorld) moment() projector.Moment {
	w.t.Helper()
	w.Flush()
	return projector.Moment{Position: w.Head(), At: w.now}
}

// stateAt is a customer as of a moment, by all events one after the other.
func stateAt(log []eventstore.Decoded, id uuid.UUID, m projector.Moment) (s customer.State) {
	for _, e := range log {
		if e.Position <= m.Position && e.Customer == id && e.Stream == customer.Stream(id) {
			s.Apply(e.Payload.(domain.Event), e.RecordedAt)
		}
	}
	return s
}

// What is told to be different is what is: of the states at both moments, whatever happened in between.
func TestDiffIsWhatIsDifferent(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(seed, 11))
			w := newGroupWorld(t, seed, 20, 5, 1)
			c := &chances{Rand: dice, w: w, left: map[uuid.UUID]int{}}
			w.build()
			moments := []projector.Moment{{}}
			for range 8 {
				for range 40 {
					c.step()
				}
				moments = append(moments, w.moment())
				w.pass(time.Microsecond)
			}
			w.settle()
			log, fates := w.log(), w.fates()
			told := 0
			for range 12 {
				i := dice.IntN(len(moments))
				from, to := moments[i], moments[i+dice.IntN(len(moments)-i)]
				d, all := w.diff(from, to)
				var want DiffTotals
				for _, p := range w.Customers {
					before, after := stateAt(log, p.ID, from), stateAt(log, p.ID, to)
					got, is := all[p.ID]
					told++
					was, now := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
					for _, ch := range fates[p.ID].changes {
						if !ch.At.After(from.At) {
							was[ch.Group] = ch.Entered
						}
						if !ch.At.After(to.At) {
							now[ch.Group] = ch.Entered
						}
					}
					var entered, left []uuid.UUID
					for _, g := range d.every {
						if now[g] && !was[g] {
							entered = append(entered, g)
						}
						if was[g] && !now[g] {
							left = append(left, g)
						}
					}
					kind := ""
					switch {
					case before.Exists && !after.Exists:
						kind = DiffWithdrawn
						want.Withdrawn++
					case !before.Exists && after.Exists:
						kind = DiffAppeared
						want.Appeared++
					}
					if is != (got.Kind != "") || kind != "" && got.Kind != kind {
						t.Fatalf("%s is %q, want %q", p.ID, got.Kind, kind)
					}
					if !before.Exists && !after.Exists {
						if is {
							t.Fatalf("%s was and is nobody: %+v", p.ID, got)
						}
						continue
					}
					if !slices.Equal(got.Entered, entered) || !slices.Equal(got.Left, left) {
						t.Fatalf("%s entered %v and left %v, want %v and %v", p.ID, got.Entered, got.Left, entered, left)
					}
					if !after.Exists {
						continue
					}
					// Both states as one would see them.
					sameProfile := reflect.DeepEqual(profileOf(before), profileOf(after))
					if sameProfile != (len(got.Fields) == 0) {
						t.Fatalf("%s: the profile %v → %v, told is %v", p.ID, profileOf(before), profileOf(after), got.Fields)
					}
					for key, change := range got.Fields {
						if a, b := profileOf(before)[key], profileOf(after)[key]; !reflect.DeepEqual(a, change.Old) || !reflect.DeepEqual(b, change.New) {
							t.Fatalf("%s: %s from %v to %v, told is %v", p.ID, key, a, b, change)
						}
					}
					if tags := append(without(before.Tags, got.Untagged), got.Tagged...); !sameSet(d.tagged(tags), d.tagged(slices.Clone(after.Tags))) {
						t.Fatalf("%s has the tags %v, want %v", p.ID, tags, after.Tags)
					}
					if listed := before.Listing != nil && !got.Unlisted || got.Listed; listed != (after.Listing != nil) {
						t.Fatalf("%s is listed: %v", p.ID, listed)
					}
				}
				if got := d.Totals(); got.Appeared != want.Appeared || got.Withdrawn != want.Withdrawn || got.Unread != 0 ||
					got.Appeared+got.Withdrawn+got.Changed+got.Active != int64(len(all)) {
					t.Fatalf("%+v, want %+v, of %d", got, want, len(all))
				}
				var gained, lost, flowing int64
				for _, g := range d.Traffic() {
					gained, lost = gained+g.Gained, lost+g.Lost
					if g.Entries-g.Left != g.Gained-g.Lost {
						t.Fatalf("%+v does not add up", g)
					}
				}
				for _, one := range all {
					gained, lost = gained-int64(len(one.Entered)), lost-int64(len(one.Left))
					if len(one.Entered)+len(one.Left) > 0 {
						flowing += int64(max(1, len(one.Entered)) * max(1, len(one.Left)))
					}
				}
				for _, f := range d.Flows() {
					flowing -= f.Customers
				}
				if gained != 0 || lost != 0 || flowing != 0 {
					t.Fatalf("groups gained %d and lost %d, and %d flowed more than the customers say", gained, lost, flowing)
				}
			}
			if told < 100 {
				t.Errorf("only %d were compared", told)
			}
		})
	}
}

// profileOf is a profile by field.
func profileOf(s customer.State) map[string]any {
	all := map[string]any{}
	for _, f := range customer.Fields() {
		if v := s.Profile.Value(f.Key); v != "" {
			all[f.Key] = v
		}
	}
	for key, v := range s.Profile.Custom {
		all[customer.CustomPrefix+key] = v
	}
	return all
}

func sameSet(a, b []uuid.UUID) bool {
	return len(without(a, b))+len(without(b, a)) == 0 && len(a) == len(b)
}

// Who was changed and changed back is not told of; who moved by the clock alone is; and flows tell from where to where.
func TestDiffTellsTheNetEffect(t *testing.T) {
	w := newGroupWorld(t, 1, 10, 10, 1)
	w.build()
	vip := w.NewTag("VIP")
	w.define(groupA, `{"field":"created_at","op":"within","value":{"days":3}}`)
	w.define(groupB, `{"field":"created_at","op":"older_than","value":{"days":3}}`)
	quiet, back := w.NewCustomer("王"), w.NewCustomer("李")
	w.pass(time.Hour)
	from := w.moment()
	w.pass(time.Hour)
	w.Retag(back) // puts it on, as there is but one
	w.Retag(back)
	tagged := w.NewCustomer("赵", vip)
	w.pass(4 * 24 * time.Hour)
	w.settle()
	to := w.moment()
	d, all := w.diff(from, to)
	if one := all[quiet.ID]; one.Kind != DiffChanged || !slices.Equal(one.Left, []uuid.UUID{groupA}) || !slices.Equal(one.Entered, []uuid.UUID{groupB}) || len(one.Fields) > 0 {
		t.Errorf("who only grew older: %+v", one)
	}
	if one := all[back.ID]; len(one.Tagged)+len(one.Untagged)+len(one.Fields) > 0 || !slices.Equal(one.Left, []uuid.UUID{groupA}) {
		t.Errorf("who had a tag for a while: %+v", one)
	}
	if one := all[tagged.ID]; one.Kind != DiffAppeared || !slices.Equal(one.Tagged, []uuid.UUID{vip}) || one.Fields["nickname"] != (customer.Change{New: "赵"}) || !slices.Equal(one.Entered, []uuid.UUID{groupB}) {
		t.Errorf("who is new: %+v", one)
	}
	if flows := d.Flows(); len(flows) != 2 || flows[0] != (GroupFlow{From: groupA, To: groupB, Customers: 2}) || flows[1] != (GroupFlow{To: groupB, Customers: 1}) {
		t.Errorf("flows: %+v", flows)
	}
	if traffic, _ := json.Marshal(d.Traffic()); string(traffic) != fmt.Sprintf(
		`[{"Group":%q,"Gained":0,"Lost":2,"Entries":1,"Left":3},{"Group":%q,"Gained":3,"Lost":0,"Entries":3,"Left":0}]`, groupA, groupB) {
		t.Errorf("traffic: %s", traffic)
	}
	if _, none := w.diff(to, to); len(none) != 0 {
		t.Errorf("between now and now: %+v", none)
	}
}

// A tag that is gone by the later moment is told of nobody, also if a customer's stream takes it off afterwards.
func TestDiffOfDeletedTags(t *testing.T) {
	w := newGroupWorld(t, 1, 10, 10, 1)
	w.build()
	early, late := w.NewTag("early"), w.NewTag("late")
	one := w.NewCustomer("王", early, late)
	w.pass(time.Hour)
	w.DeleteTag(early)
	w.pass(time.Hour)
	from := w.moment()
	w.pass(time.Hour)
	kept := w.NewTag("kept")
	w.Append(customer.Stream(one.ID), one.ID, customer.Tagged{Tag: kept})
	w.Append(customer.Stream(one.ID), one.ID, customer.Untagged{Tag: early})
	w.pass(time.Hour)
	w.DeleteTag(late)
	w.pass(time.Hour)
	w.settle()
	_, all := w.diff(from, w.moment())
	if got := all[one.ID]; !slices.Equal(got.Tagged, []uuid.UUID{kept}) || len(got.Untagged) > 0 {
		t.Errorf("told are %+v", got)
	}
}

// Of more ids than are kept at once, the first are found, each once.
func TestTheFirstOfManyIDs(t *testing.T) {
	many := make([]uuid.UUID, 25)
	for i := range many {
		many[i] = uuid.New()
	}
	ids := firstIDs{most: 10}
	for _, id := range slices.Concat(many, many, many) {
		ids.add(id)
	}
	slices.SortFunc(many, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	if first, more := ids.sorted(); !slices.Equal(first, many[:10]) || !more {
		t.Errorf("got %v %v, want %v", first, more, many[:10])
	}
	few := firstIDs{most: 25}
	for _, id := range many {
		few.add(id)
	}
	if all, more := few.sorted(); !slices.Equal(all, many) || more {
		t.Errorf("got %v %v", all, more)
	}
}
