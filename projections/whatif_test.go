package projections

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/group"
)

// probe is a group that was really defined, and is asked about afterwards.
type probe struct {
	id   uuid.UUID
	rule json.RawMessage
	at   time.Time
}

// probe defines a group at an instant of its own.
func (c *chances) probe(n int) probe {
	c.w.pass(time.Microsecond)
	p := probe{id: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, "probe", n)), rule: c.rule(), at: c.w.now}
	c.w.Append(group.Stream, uuid.Nil, group.Defined{Group: p.id, Name: p.id.String(), Rule: p.rule})
	c.w.pass(time.Microsecond)
	return p
}

// ask is what the world says of a rule that was defined then, as of now.
func (w *groupWorld) ask(rule json.RawMessage, from time.Time) WhatIfQuery {
	w.t.Helper()
	fields, _, err := NewCatalogues(w.store).Fields(w.t.Context(), groupTenant)
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := filter.Parse(rule, &filter.Language{Custom: fields.Filterable()}, "rule")
	if err != nil {
		w.t.Fatal(err)
	}
	head, err := w.store.Head(w.t.Context(), groupTenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return WhatIfQuery{Rule: f, From: from, Position: head, Until: w.now}
}

// whatIf asks, and gathers the entries and leaves by customer.
func (w *groupWorld) whatIf(q WhatIfQuery) (Hindsight, map[uuid.UUID][]GroupMove) {
	w.t.Helper()
	moves := map[uuid.UUID][]GroupMove{}
	told, err := NewGroups(w.store, w.p, NewCatalogues(w.store)).WhatIf(w.t.Context(), groupTenant, q, func(int64, int64) {}, func(m GroupMove) error {
		moves[m.Customer] = append(moves[m.Customer], m)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return told, moves
}

// What would have happened, had a group been defined then, is what happened to a group that was: who entered and left, when and why, and how many
// were in it at the end of each day.
func TestWhatIfIsWhatWas(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(seed, 9))
			w := newGroupWorld(t, seed, 1+dice.IntN(30), 1+dice.IntN(7), 1)
			c := &chances{Rand: dice, w: w, left: map[uuid.UUID]int{}}
			w.build()
			var probes []probe
			for n := range 12 {
				for range 30 {
					c.step()
				}
				if len(w.Tags) > 0 {
					probes = append(probes, c.probe(n))
				}
			}
			for range 60 {
				c.step()
			}
			w.pass(time.Duration(dice.IntN(40*24)) * time.Hour)
			w.settle()
			moved := 0
			fates := w.fates()
			for _, p := range probes {
				told, moves := w.whatIf(w.ask(p.rule, p.at))
				moved += w.sameAs(fates, p, told, moves)
			}
			if moved < 50 {
				t.Errorf("only %d entries and leaves: hardly anything was compared", moved)
			}
		})
	}
}

// sameAs holds what was told of a probe against what became of the group, and tells how many entries and leaves that are.
func (w *groupWorld) sameAs(fates map[uuid.UUID]fate, p probe, told Hindsight, moves map[uuid.UUID][]GroupMove) (compared int) {
	w.t.Helper()
	shanghai := w.zoneNow()
	sizes := map[string]int64{} // by the day, what it grew by
	var start, members, entered, left int64
	for id, f := range fates {
		real := slices.DeleteFunc(slices.Clone(f.changes), func(c groupChangeRow) bool { return c.Group != p.id })
		said := moves[id]
		delete(moves, id)
		if len(real) != len(said) {
			w.t.Fatalf("%s of %s: %d entries and leaves, told were %d\n%+v\n%+v", p.rule, id, len(real), len(said), real, said)
		}
		for i, c := range real {
			m := said[i]
			first := c.Kind == causeRule && c.At.Equal(p.at)
			var position int64
			if m.Cause.EventPosition != nil {
				position = *m.Cause.EventPosition
			}
			if first {
				position++ // the definition itself is behind what was before it
			}
			evidence, err := json.Marshal(m.Evidence)
			if err != nil {
				w.t.Fatal(err)
			}
			if m.Entered != c.Entered || !m.At.Equal(c.At) || m.Cause.Kind != c.Kind || position != c.Position || string(evidence) != c.Evidence {
				w.t.Fatalf("%s of %s:\n%+v\ntold was\n%+v", p.rule, id, c, m)
			}
			change := int64(1)
			switch {
			case first:
				start++
			case c.Entered:
				entered++
			default:
				left++
				change = -1
			}
			members += change
			sizes[c.At.In(shanghai).Format(time.DateOnly)] += change
			compared++
		}
	}
	if len(moves) > 0 {
		w.t.Fatalf("%s: told was of %d customers whom nobody knows", p.rule, len(moves))
	}
	if told.Start != start || told.Members != members || told.Entered != entered || told.Left != left || told.Unread != 0 || told.Customers != int64(len(w.Customers)) {
		w.t.Fatalf("%s: start %d, members %d, entered %d, left %d; told was %+v", p.rule, start, members, entered, left, told)
	}
	var size int64
	for i, day := range told.Days {
		size += sizes[day.Date]
		if day.Members != size {
			w.t.Fatalf("%s: on %s %d were in it, told were %d", p.rule, day.Date, size, day.Members)
		}
		if i > 0 && day.Members-told.Days[i-1].Members != day.Entered-day.Left {
			w.t.Fatalf("%s: from %+v to %+v", p.rule, told.Days[i-1], day)
		}
	}
	if n := len(told.Days); n == 0 || told.Days[0].Date != p.at.In(shanghai).Format(time.DateOnly) || told.Days[n-1].Date != w.now.In(shanghai).Format(time.DateOnly) {
		w.t.Fatalf("%s: the days are %+v", p.rule, told.Days)
	}
	return compared
}

// zoneNow is the zone of the tenant now.
func (w *groupWorld) zoneNow() *time.Location {
	w.t.Helper()
	own, _, err := NewCatalogues(w.store).Settings(w.t.Context(), groupTenant)
	if err != nil {
		w.t.Fatal(err)
	}
	zone, err := time.LoadLocation(own.TimeZone())
	if err != nil {
		w.t.Fatal(err)
	}
	return zone
}

// Days on which nothing happened show what the clock did.
func TestWhatIfOnSilentDays(t *testing.T) {
	w := newGroupWorld(t, 1, 10, 10, 1)
	w.build()
	from := w.now
	w.pass(time.Minute)
	w.NewCustomer("王")
	w.pass(24 * time.Hour)
	w.NewCustomer("李")
	w.pass(6 * 24 * time.Hour)
	told, moves := w.whatIf(w.ask(json.RawMessage(`{"field":"created_at","op":"older_than","value":{"days":3}}`), from))
	var sizes []int64
	for _, d := range told.Days {
		sizes = append(sizes, d.Members)
	}
	if !slices.Equal(sizes, []int64{0, 0, 0, 1, 2, 2, 2, 2}) || told.Start != 0 || told.Entered != 2 || told.Left != 0 {
		t.Errorf("%+v", told)
	}
	for _, m := range moves {
		if len(m) != 1 || m[0].Cause.Kind != causeClock || len(m[0].Evidence) != 1 {
			t.Errorf("moved: %+v", m)
		}
	}
}

// A field that was added later is one that nobody had set then.
func TestWhatIfOfAFieldThatWasAddedLater(t *testing.T) {
	w := newGroupWorld(t, 1, 10, 10, 1)
	w.build()
	w.NewCustomer("王")
	w.pass(24 * time.Hour)
	from := w.now
	w.pass(24 * time.Hour)
	w.Append(field.Stream, uuid.Nil, field.Added{Field: "level", Type: field.TypeText, Label: "级别"})
	told, _ := w.whatIf(w.ask(json.RawMessage(`{"field":"custom.level","op":"not_set"}`), from))
	if told.Start != 1 || told.Members != 1 || told.Entered != 0 {
		t.Errorf("%+v", told)
	}
}

// From before the log began, it begins with the log; of a tenant to whom nothing has happened there is nothing to tell.
func TestWhatIfFromBeforeTheLog(t *testing.T) {
	w := newGroupWorld(t, 1, 10, 10, 1)
	w.build()
	rule := json.RawMessage(`{"field":"nickname","op":"eq","value":"王"}`)
	told, moves := w.whatIf(w.ask(rule, w.now.AddDate(0, 0, -1)))
	if told.Customers != 0 || len(moves) != 0 || len(told.Days) != 1 {
		t.Errorf("of an empty log: %+v", told)
	}
	w.pass(time.Hour)
	began := w.now
	p := w.NewCustomer("王")
	w.pass(time.Hour)
	told, moves = w.whatIf(w.ask(rule, began.AddDate(-50, 0, 0)))
	if !told.From.Equal(began) || len(told.Days) != 1 || told.Start != 0 || told.Entered != 1 || len(moves[p.ID]) != 1 || moves[p.ID][0].Cause.Kind != causeEvent {
		t.Errorf("%+v %+v", told, moves)
	}
}

// Who has an event that cannot be read is left out, and counted.
func TestWhatIfLeavesOutWhomItCannotRead(t *testing.T) {
	w := newGroupWorld(t, 1, 10, 10, 1)
	w.build()
	from := w.now
	w.pass(time.Hour)
	w.NewCustomer("王")
	broken := w.NewCustomer("王")
	w.Flush()
	if _, err := w.store.Pool().Exec(t.Context(), `update events set type_version = 99 where customer = $1`, broken.ID); err != nil {
		t.Fatal(err)
	}
	told, moves := w.whatIf(w.ask(json.RawMessage(`{"field":"nickname","op":"eq","value":"王"}`), from))
	if told.Customers != 1 || told.Unread != 1 || told.Members != 1 || len(moves) != 1 {
		t.Errorf("%+v %v", told, moves)
	}
}

// All customers are looked at, however many pages and pieces that takes; whoever has heard enough ends it.
func TestWhatIfOfMany(t *testing.T) {
	w := newGroupWorld(t, 1, 10, 10, 1)
	w.build()
	from := w.now
	const many = 2*whatIfPage + 1
	for range many {
		w.OpenSession(w.NewCustomer("王"))
	}
	w.Flush()
	w.settle()
	q := w.ask(json.RawMessage(`{"field":"message_count","op":"gte","value":1}`), from)
	groups := NewGroups(w.store, w.p, NewCatalogues(w.store))
	var last, total int64
	pieces := 0
	told, err := groups.WhatIf(t.Context(), groupTenant, q, func(done, of int64) {
		if done < last || done > of {
			t.Errorf("progress from %d to %d of %d", last, done, of)
		}
		last, total = done, of
		pieces++
	}, func(GroupMove) error { return nil })
	if err != nil || told.Customers != many || told.Entered != many || last != many || total != many || pieces != 3 {
		t.Errorf("%+v %v; the last of %d pieces was %d of %d", told, err, pieces, last, total)
	}
	enough := errors.New("enough")
	if _, err := groups.WhatIf(t.Context(), groupTenant, q, func(int64, int64) {}, func(GroupMove) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := groups.WhatIf(ctx, groupTenant, q, func(int64, int64) { cancel() }, func(GroupMove) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
