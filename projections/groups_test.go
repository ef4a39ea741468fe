package projections

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"customercenter/domain/customer"
	"customercenter/domain/field"
	"customercenter/domain/filter"
	"customercenter/domain/filter/filtertest"
	"customercenter/domain/group"
	"customercenter/domain/settings"
	"customercenter/projections/projectionstest"
)

// chances are the dice of one history.
type chances struct {
	*rand.Rand
	w      *groupWorld
	groups []uuid.UUID
	left   map[uuid.UUID]int // revisions
	fields bool
}

// rule is a random rule that says something of the customers of the world.
func (c *chances) rule() json.RawMessage {
	tag := func() string { return c.w.Tags[c.IntN(len(c.w.Tags))].String() }
	span := func() string {
		return fmt.Sprintf(`{"%s":%d}`, []string{"days", "hours", "minutes"}[c.IntN(3)], 1+c.IntN(40))
	}
	period := []string{"today", "yesterday", "this_week", "last_week", "this_month", "last_month"}[c.IntN(6)]
	times := []string{"created_at", "updated_at", "first_session_at", "last_session_at", "last_message_at", "blacklisted_at"}
	condition := func() string {
		f, unset := times[c.IntN(len(times))], c.IntN(3) == 0
		switch c.IntN(14) {
		case 0, 1:
			return fmt.Sprintf(`{"field":%q,"op":"within","value":%s,"unset":%v}`, f, span(), unset)
		case 2, 3:
			return fmt.Sprintf(`{"field":%q,"op":"older_than","value":%s,"unset":%v}`, f, span(), unset)
		case 4, 5:
			return fmt.Sprintf(`{"field":%q,"op":"in","value":{"period":%q},"unset":%v}`, f, period, unset)
		case 6:
			return fmt.Sprintf(`{"field":"tags","op":%q,"value":[%q,%q]}`, []string{"has_any", "has_all", "has_none"}[c.IntN(3)], tag(), tag())
		case 7:
			return `{"field":"tags","op":"is_empty"}`
		case 8:
			return `{"field":"blacklisted","op":"is","value":true}`
		case 9:
			return fmt.Sprintf(`{"field":"session_count","op":"gte","value":%d}`, c.IntN(4))
		case 10:
			return fmt.Sprintf(`{"field":"any_text","op":"contains","value":%q}`, []string{"王", "a", "小明", "visitor"}[c.IntN(4)])
		case 11:
			return fmt.Sprintf(`{"field":"last_agent","op":"in","value":["agent-%d"]}`, c.IntN(5))
		case 12:
			if c.fields {
				return []string{
					`{"field":"custom.birthday","op":"in","value":{"period":"this_month"}}`, `{"field":"custom.score","op":"gt","value":50}`,
					`{"field":"custom.note","op":"is_set"}`, `{"field":"custom.birthday","op":"older_than","value":{"days":1}}`,
				}[c.IntN(4)]
			}
			return `{"field":"rating_avg","op":"gte","value":3}`
		}
		return fmt.Sprintf(`{"field":"message_count","op":"lt","value":%d}`, 1+c.IntN(8))
	}
	switch c.IntN(4) {
	case 0:
		return json.RawMessage(condition())
	case 1:
		return json.RawMessage(fmt.Sprintf(`{"all":[%s,%s]}`, condition(), condition()))
	case 2:
		return json.RawMessage(fmt.Sprintf(`{"any":[%s,{"not":%s},%s]}`, condition(), condition(), condition()))
	}
	drawn := rapid.Custom(func(t *rapid.T) json.RawMessage {
		return filtertest.Filter(t, &filter.Language{}).JSON()
	}).Example(c.IntN(1 << 30))
	if string(drawn) == "{}" || string(drawn) == "null" {
		return json.RawMessage(condition())
	}
	return drawn
}

// step does one thing, chosen at random.
func (c *chances) step() {
	w := c.w
	switch n := c.IntN(100); {
	case n < 45 || len(w.Customers) < 3 || len(w.Tags) == 0:
		w.Step()
	case n < 60:
		w.pass(time.Duration(c.IntN(4)) * time.Duration(c.IntN(3_600_000_000)) * time.Microsecond)
	case n < 63:
		w.pass(time.Duration(c.IntN(60)) * time.Hour)
	case n < 66: // exactly midnight in Shanghai, a microsecond before, or after
		midnight := w.now.Add(8 * time.Hour).Truncate(24 * time.Hour).Add(16 * time.Hour)
		if to := midnight.Add(time.Duration(c.IntN(3)-1) * time.Microsecond); to.After(w.now) {
			w.pass(to.Sub(w.now))
		}
	case n < 70:
		c.define()
	case n < 73 && len(c.groups) > 0:
		c.revise(c.groups[c.IntN(len(c.groups))])
	case n < 74 && len(c.groups) > 1:
		i := c.IntN(len(c.groups))
		w.Append(group.Stream, uuid.Nil, group.Deleted{Group: c.groups[i]})
		c.groups = append(c.groups[:i:i], c.groups[i+1:]...)
	case n < 75:
		zones := []string{"America/New_York", "Asia/Shanghai", "Australia/Lord_Howe", "America/Sao_Paulo"}
		w.Append(settings.Stream, uuid.Nil, settings.TimeZoneSet{TimeZone: zones[c.IntN(len(zones))]})
	case n < 76:
		w.Append(settings.Stream, uuid.Nil, settings.WeekStartSet{Day: []string{"monday", "sunday", "thursday"}[c.IntN(3)]})
	case n < 77 && len(w.Tags) > 3:
		w.DeleteTag(w.Tags[0])
		w.Tags = w.Tags[1:]
	case n < 78:
		w.Recreate(w.Customers[c.IntN(len(w.Customers))], "again")
	case n < 80:
		w.Blacklist(c.somebody(), time.Now().Add(time.Duration(1+c.IntN(100))*time.Hour))
	case n < 83 && !c.fields:
		c.fields = true
		for key, kind := range map[string]string{"birthday": field.TypeDate, "score": field.TypeNumber, "note": field.TypeText} {
			w.Append("fields", uuid.Nil, field.Added{Field: key, Type: kind, Label: key})
		}
	case n < 83:
		p := c.somebody()
		w.Append(customer.Stream(p.ID), p.ID, customer.ProfileChanged{Fields: map[string]customer.Change{
			"custom.birthday": {New: w.now.AddDate(0, 0, c.IntN(60)-30).Format("2006-01-02")},
			"custom.score":    {New: fmt.Sprint(c.IntN(100))}, // as numbers are kept
			"custom.note":     {New: []any{nil, "vip"}[c.IntN(2)]},
		}})
	case n < 86:
		c.revert()
	default:
		for range c.IntN(6) {
			w.turn(c.IntN(len(w.hands)))
		}
	}
}

// somebody is a customer. There are some whom no import has made.
func (c *chances) somebody() *projectionstest.Person {
	for {
		if p := c.w.Customers[c.IntN(len(c.w.Customers))]; p.State.Exists {
			return p
		}
	}
}

// revert withdraws everybody whom an import has made and nobody touched, or lets some of those come back; if there is nobody, somebody is imported.
func (c *chances) revert() {
	back, done := c.IntN(3) == 0, false
	for _, p := range c.w.Customers {
		switch {
		case !p.State.Exists && back:
			c.w.ComeBack(p)
			done = true
		case p.State.Via == customer.ViaImport && !p.State.Touched && !back:
			c.w.Withdraw(p)
			done = true
		}
	}
	if !done {
		c.w.Import("王", c.w.Tags[c.IntN(len(c.w.Tags))])
		c.w.Import("imported")
	}
}

func (c *chances) define() {
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(fmt.Sprint("group", len(c.left))))
	c.groups = append(c.groups, id)
	c.left[id] = 1
	c.w.Append(group.Stream, uuid.Nil, group.Defined{Group: id, Name: id.String(), Rule: c.rule()})
}

func (c *chances) revise(id uuid.UUID) {
	c.left[id]++
	c.w.Append(group.Stream, uuid.Nil, group.Revised{Group: id, Rule: c.rule(), Revision: c.left[id]})
}

// Whatever is done when, and by whom: the read model is what the slow oracle says, and what a rebuild from zero gives.
func TestGroupsFollowFromTheLogAndTheClock(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			dice := rand.New(rand.NewPCG(seed, 4))
			w := newGroupWorld(t, seed, 1+dice.IntN(30), 1+dice.IntN(7), 2)
			c := &chances{Rand: dice, w: w, left: map[uuid.UUID]int{}}
			before := dice.IntN(150)
			for range before {
				if dice.IntN(100) < 80 {
					w.Step()
				} else {
					w.pass(time.Duration(dice.IntN(30)) * time.Hour)
				}
			}
			if len(w.Tags) > 0 {
				c.define()
			}
			w.Flush()
			w.build()
			for range 500 {
				c.step()
			}
			w.settle()
			w.check(dice)
			w.compare()
			// The rebuilt one is the one that is fed from now on, too.
			for range 60 {
				c.step()
			}
			w.settle()
			w.check(nil)
		})
	}
}

// A customer who is parked, and folded anew later, is where everybody else is: changes of rules and what the clock did included.
func TestParkedCustomerIsInTheRightGroupsOnceRetried(t *testing.T) {
	for seed := range uint64(2) {
		w := newGroupWorld(t, seed, 20, 3, 2)
		c := &chances{Rand: rand.New(rand.NewPCG(seed, 5)), w: w, left: map[uuid.UUID]int{}}
		w.build()
		for range 80 {
			c.step()
		}
		w.settle()
		version := func(version int, positions ...int64) { // of another program's, and so not understood
			t.Helper()
			if _, err := w.store.Pool().Exec(t.Context(), `update events set type_version = $1 where position = any($2)`, version, positions); err != nil {
				t.Fatal(err)
			}
		}
		broken := w.Customers[0]
		w.Rename(broken, "王")
		w.Flush()
		renamed := w.Head()
		created := w.NewCustomer("nobody can read this")
		version(99, renamed, w.Head())
		made := w.Head()
		w.settle()
		for range 60 {
			c.step()
		}
		w.define(groupB, `{"field":"created_at","op":"older_than","value":{"minutes":1}}`)
		w.pass(time.Hour)
		w.settle()
		parked, err := w.p.Parked(t.Context(), GroupsName, groupTenant)
		if err != nil || len(parked) != 2 {
			t.Fatalf("parked: %+v, %v", parked, err)
		}
		version(1, renamed, made)
		for _, id := range []uuid.UUID{broken.ID, created.ID} {
			if n, err := w.p.Retry(t.Context(), GroupsName, groupTenant, id); err != nil || n != 1 {
				t.Fatalf("retried in %d builds, %v", n, err)
			}
		}
		w.settle()
		w.check(nil)
		w.compare()
	}
}
