package projections

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain/customer"
	"customercenter/domain/filter"
	"customercenter/domain/settings"
	"customercenter/eventstore"
	"customercenter/projections/projectionstest"
	"customercenter/projections/projector"
)

// groupWorld is a tenant whose clock stands still until it is moved, with a read model of groups that is fed by hand.
type groupWorld struct {
	*projectionstest.World
	t     testing.TB
	store *eventstore.Store
	now   time.Time
	p     *projector.Projector
	hands []*projector.Hand
}

const groupTenant = "acme"

// newGroupWorld begins a world. batch and piece bound how much is done in one turn; that many hands are at work in turn.
func newGroupWorld(t testing.TB, seed uint64, batch, piece, hands int) *groupWorld {
	t.Helper()
	w := &groupWorld{t: t, store: projectionstest.Store(t, groupTenant), now: time.Date(2026, 3, 7, 20, 13, 14, 151617000, time.UTC)}
	w.World = projectionstest.NewWorld(t, w.store, groupTenant, seed, 1)
	w.Clock = func() time.Time { return w.now }
	p, err := projector.New(projector.Config{
		Store: w.store, Definitions: []projector.Definition{GroupsDefinition()}, Batch: batch, Piece: piece,
		Watermark: func(ctx context.Context, tenant string) (int64, time.Time, error) {
			head, err := w.store.Head(ctx, tenant)
			return head, w.now, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.p = p
	for range hands {
		w.hands = append(w.hands, p.ByHand())
	}
	return w
}

// build makes the first build; what is in the log so far is folded at once.
func (w *groupWorld) build() {
	w.t.Helper()
	if err := w.p.EnsureBuilt(w.t.Context(), nil); err != nil {
		w.t.Fatal(err)
	}
}

// turn lets one of the hands do a step.
func (w *groupWorld) turn(hand int) (more bool) {
	w.t.Helper()
	more, err := w.hands[hand%len(w.hands)].Turn(w.t.Context(), groupTenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return more
}

// settle lets one hand work until nothing is left to do.
func (w *groupWorld) settle() {
	w.t.Helper()
	w.Flush()
	for quiet := 0; quiet < 2; {
		if w.turn(0) {
			quiet = 0
		} else {
			quiet++
		}
	}
}

// pass lets time pass.
func (w *groupWorld) pass(d time.Duration) {
	w.Flush()
	w.now = w.now.Add(d)
}

// zone sets the zone of the tenant.
func (w *groupWorld) zone(name string) {
	w.t.Helper()
	w.Append(settings.Stream, uuid.Nil, settings.TimeZoneSet{TimeZone: name})
}

// schema is that of the served build.
func (w *groupWorld) schema() string {
	w.t.Helper()
	b, err := w.p.Live(w.t.Context(), GroupsName)
	if err != nil {
		w.t.Fatal(err)
	}
	return b.Schema
}

// fate is what became of one customer.
type fate struct {
	ordinal int64
	first   int64
	groups  []memberOf
	changes []groupChangeRow
	due     time.Time
}

// memberOf is a membership, with what is told of it.
type memberOf struct {
	Group    uuid.UUID
	Since    time.Time
	Kind     string
	Position int64
	Evidence json.RawMessage
}

// fates are what the read model says became of everybody, by customer.
func (w *groupWorld) fates() map[uuid.UUID]fate {
	w.t.Helper()
	all := map[uuid.UUID]fate{}
	rows := w.query(`select id, ordinal from $.group_subject where tenant = $1`)
	var id uuid.UUID
	var f fate
	w.each(rows, []any{&id, &f.ordinal}, func() { all[id] = f })
	rows = w.query(`select id, ordinal, first, groups::text, changes, due_at from $.group_standing where tenant = $1`)
	var ordinal, first, changes int64
	var groups string
	var due *time.Time
	w.each(rows, []any{&id, &ordinal, &first, &groups, &changes, &due}, func() {
		f := all[id] // without a subject: is no customer any more
		if f.ordinal != ordinal {
			w.t.Errorf("the standing of %s has ordinal %d, want %d", id, ordinal, f.ordinal)
		}
		f.groups = nil
		if err := json.Unmarshal([]byte(groups), &f.groups); err != nil {
			w.t.Error(err)
		}
		if due != nil {
			f.due = due.UTC()
		}
		f.first, f.changes = first, make([]groupChangeRow, changes)
		all[id] = f
	})
	rows = w.query(`select id, group_id, revision, customer, entered, at, kind, position, evidence::text from $.group_change where tenant = $1`)
	var c groupChangeRow
	w.each(rows, []any{&c.ID, &c.Group, &c.Revision, &c.Customer, &c.Entered, &c.At, &c.Kind, &c.Position, &c.Evidence}, func() {
		c.At = c.At.UTC()
		for n := range all[c.Customer].changes {
			if changeKey(all[c.Customer].first, int64(n+1)) == c.ID {
				all[c.Customer].changes[n] = c
				return
			}
		}
		w.t.Errorf("a change of %s has no number", c.Customer)
	})
	for _, f := range all {
		for i := range f.groups {
			f.groups[i].entered(f.changes)
		}
	}
	return all
}

// entered adds what the last entry says.
func (m *memberOf) entered(changes []groupChangeRow) {
	explained := m.Evidence != nil
	for _, c := range changes {
		if c.Group != m.Group || !c.Entered {
			continue
		}
		m.Since, m.Kind, m.Position = c.At, c.Kind, c.Position
		if !explained {
			m.Evidence = json.RawMessage(c.Evidence)
		}
	}
}

func (w *groupWorld) query(sql string, args ...any) pgx.Rows {
	w.t.Helper()
	rows, err := w.store.Pool().Query(w.t.Context(), in(w.schema(), sql), append([]any{groupTenant}, args...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *groupWorld) each(rows pgx.Rows, into []any, do func()) {
	w.t.Helper()
	if _, err := pgx.ForEachRow(rows, into, func() error { do(); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// log is the whole log, opened.
func (w *groupWorld) log() []eventstore.Decoded {
	w.t.Helper()
	events, err := w.store.ReadLog(w.t.Context(), groupTenant, 0, 1_000_000)
	if err != nil {
		w.t.Fatal(err)
	}
	decoded, err := w.store.Open(w.t.Context(), events)
	if err != nil {
		w.t.Fatal(err)
	}
	return decoded
}

// oracle says what becomes of a customer, slowly: every rule judges at every event, at every change of rules, and whenever one of them may
// change its mind. It shares with the read model what a customer looks like after an event, what rules are in force when, and nothing else.
type oracle struct {
	book  *ruleBook
	kinds map[string]bool // of events that are heard

	subject *groupSubject
	epoch   int
	judged  time.Time
	fate    fate
}

func newOracle(t testing.TB, log []eventstore.Decoded) *oracle {
	t.Helper()
	var rows []*groupCatalogueRow
	for _, e := range log {
		if _, err := ruleEvent(e.Type, []byte("{}")); err == nil {
			data, err := json.Marshal(e.Payload)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, &groupCatalogueRow{Position: e.Position, At: micros(e.RecordedAt), Type: e.Type, Data: string(data)})
		}
	}
	book, err := readRuleBook(slices.Values(rows))
	if err != nil {
		t.Fatal(err)
	}
	o := &oracle{book: book, kinds: map[string]bool{}}
	for _, kind := range GroupsDefinition().Types {
		o.kinds[kind] = true
	}
	return o
}

// of tells the fate of a customer up to an instant. events are all of the log.
func (o *oracle) of(t testing.TB, events []eventstore.Decoded, id uuid.UUID, until time.Time) fate {
	t.Helper()
	o.subject, o.epoch, o.fate = nil, 0, fate{}
	for i := range events {
		e := &events[i]
		at := micros(e.RecordedAt)
		if at.After(until) {
			break
		}
		for o.epoch < o.book.latest() && o.book.at(o.epoch+1).position <= e.Position {
			next := o.book.at(o.epoch + 1)
			o.clock(next.at)
			o.epoch++
			if o.subject != nil {
				o.judge(next.at, cause{causeRule, next.position}, next.affected)
			}
		}
		if e.Customer != id || !o.kinds[e.Type] {
			continue
		}
		o.clock(at)
		why := cause{causeEvent, e.Position}
		subject, ends, err := subjectAfter(o.subject, e)
		if err != nil {
			t.Fatal(err)
		}
		if ends {
			for _, m := range o.fate.groups {
				rule, _ := o.book.at(o.epoch).rule(m.Group)
				o.note(m.Group, rule.revision, false, at, why, "[]")
			}
			o.fate.groups = nil
		}
		if o.subject = subject; subject != nil {
			o.judge(at, why, nil)
		}
	}
	o.clock(until)
	o.fate.due = o.next()
	return o.fate
}

// subjectAfter is a customer after an event; nil: is none any more. ends says that what was before it was another life.
func subjectAfter(subject *groupSubject, e *eventstore.Decoded) (_ *groupSubject, ends bool, err error) {
	switch payload := e.Payload.(type) {
	case customer.Created:
		subject, err = newGroupSubject(e, payload)
		return subject, true, err
	case customer.Withdrawn:
		return nil, true, nil
	}
	after := *subject
	_, err = after.apply(e)
	return &after, false, err
}

// next is when a rule may next change its mind.
func (o *oracle) next() (first time.Time) {
	if o.subject == nil {
		return first
	}
	e := o.book.at(o.epoch)
	for _, r := range e.rules {
		if flip := r.filter.NextFlip(o.seen(), o.judged, e.calendar); !flip.IsZero() && (first.IsZero() || flip.Before(first)) {
			first = flip
		}
	}
	return first
}

func (o *oracle) clock(to time.Time) {
	for {
		due := o.next()
		if due.IsZero() || due.After(to) {
			return
		}
		o.judge(due, cause{kind: causeClock}, nil)
	}
}

func (o *oracle) seen() *filter.Subject {
	s := o.subject.Subject
	s.Tags = o.book.tagsAt(s.Tags, o.epoch)
	return &s
}

// judge lets all rules judge. renew are the groups whose rule has changed.
func (o *oracle) judge(at time.Time, why cause, renew []uuid.UUID) {
	e := o.book.at(o.epoch)
	subject := o.seen()
	var stay []memberOf
	for _, m := range o.fate.groups {
		if _, inForce := e.rule(m.Group); inForce {
			stay = append(stay, m)
		} else {
			o.note(m.Group, 0, false, at, why, "[]")
		}
	}
	o.fate.groups = nil
	for _, r := range e.rules {
		i := slices.IndexFunc(stay, func(m memberOf) bool { return m.Group == r.group })
		matches := r.filter.Match(subject, at, e.calendar)
		evidence, err := json.Marshal(r.filter.Explain(subject, at, e.calendar))
		if err != nil {
			panic(err)
		}
		switch {
		case matches && i >= 0:
			if slices.Contains(renew, r.group) {
				stay[i].Evidence = evidence
			}
			o.fate.groups = append(o.fate.groups, stay[i])
		case matches:
			o.fate.groups = append(o.fate.groups, memberOf{r.group, at, why.kind, why.position, evidence})
			o.note(r.group, r.revision, true, at, why, string(evidence))
		case i >= 0:
			o.note(r.group, r.revision, false, at, why, string(evidence))
		}
	}
	o.judged = at
}

func (o *oracle) note(group uuid.UUID, revision int, entered bool, at time.Time, why cause, evidence string) {
	o.fate.changes = append(o.fate.changes, groupChangeRow{
		Group: group, Revision: revision, Entered: entered, At: at, Kind: why.kind, Position: why.position, Evidence: evidence,
	})
}

// words is a fate as a text that can be compared. Changes of one cause are in no order.
func (f *fate) words(t testing.TB) string {
	t.Helper()
	said := func(evidence string) string {
		var v any
		if err := json.Unmarshal([]byte(evidence), &v); err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(v)
		return string(b)
	}
	text := fmt.Sprintf("due %s\n", f.due.Format(time.RFC3339Nano))
	for _, m := range f.groups {
		text += fmt.Sprintf("in %s since %s by %s %d: %s\n", m.Group, m.Since.UTC().Format(time.RFC3339Nano), m.Kind, m.Position, said(string(m.Evidence)))
	}
	changes := slices.Clone(f.changes)
	slices.SortStableFunc(changes, func(a, b groupChangeRow) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Position, b.Position), cmp.Compare(fmt.Sprint(a.Entered), fmt.Sprint(b.Entered)), slices.Compare(a.Group[:], b.Group[:]))
	})
	for _, c := range changes {
		text += fmt.Sprintf("%s %v %s rev %d by %s %d: %s\n", c.At.Format(time.RFC3339Nano), c.Entered, c.Group, c.Revision, c.Kind, c.Position, said(c.Evidence))
	}
	return text
}

// check holds the read model against the oracle, for every customer, and against Match at some instants that nobody has thought of.
func (w *groupWorld) check(chance *rand.Rand) {
	w.t.Helper()
	log := w.log()
	o := newOracle(w.t, log)
	found := w.fates()
	members := map[uuid.UUID][]int64{}
	for _, p := range w.Customers {
		want := o.of(w.t, log, p.ID, w.now)
		got := found[p.ID]
		if a, b := got.words(w.t), want.words(w.t); a != b {
			w.t.Fatalf("customer %s is\n%s\nwant\n%s", p.ID, a, b)
		}
		for _, m := range got.groups {
			members[m.Group] = append(members[m.Group], got.ordinal)
		}
		if chance != nil {
			w.checkAt(o, log, p.ID, got.changes, chance)
		}
	}
	w.checkServed(o.book, members)
}

// checkAt compares who was in which group at some instants, by the changes, with what the rules say of the customer as of then.
func (w *groupWorld) checkAt(o *oracle, log []eventstore.Decoded, id uuid.UUID, changes []groupChangeRow, chance *rand.Rand) {
	w.t.Helper()
	first := log[0].RecordedAt
	for range 8 {
		at := micros(first.Add(time.Duration(chance.Int64N(int64(w.now.Sub(first)) + 1))))
		if slices.ContainsFunc(log, func(e eventstore.Decoded) bool { return micros(e.RecordedAt).Equal(at) }) {
			continue // several things at once
		}
		in := map[uuid.UUID]bool{}
		for _, c := range changes {
			if !c.At.After(at) {
				in[c.Group] = c.Entered
			}
		}
		var subject *groupSubject
		epoch := 0
		for i := range log {
			e := &log[i]
			if e.RecordedAt.After(at) {
				break
			}
			epoch = o.book.before(e.Position + 1)
			if e.Customer != id || !o.kinds[e.Type] {
				continue
			}
			var err error
			if subject, _, err = subjectAfter(subject, e); err != nil {
				w.t.Fatal(err)
			}
		}
		if subject == nil {
			for group, is := range in {
				if is {
					w.t.Fatalf("%s is in group %s at %s, and no customer", id, group, at)
				}
			}
			continue
		}
		o.subject, o.epoch = subject, epoch
		for _, r := range o.book.at(epoch).rules {
			if want := r.filter.Match(o.seen(), at, o.book.at(epoch).calendar); in[r.group] != want {
				w.t.Fatalf("customer %s at %s: in group %s is %v, the rule %s says %v", id, at, r.group, in[r.group], r.filter.JSON(), want)
			}
		}
	}
}

// checkServed compares the sets of members with who is in the groups, and that nothing is left of former rules.
func (w *groupWorld) checkServed(book *ruleBook, members map[uuid.UUID][]int64) {
	w.t.Helper()
	bits := map[int64][]int64{}
	var facet, ordinal int64
	rows := w.query(`select facet, bucket::bigint * 16384 + o from $.group_bits, generate_series(0, 16383) o where tenant = $1 and get_bit(bits, o) = 1`)
	w.each(rows, []any{&facet, &ordinal}, func() { bits[facet] = append(bits[facet], ordinal) })
	for _, r := range book.inForce(book.latest()) {
		got, want := bits[groupFacet(r.group, r.epoch)], members[r.group]
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			w.t.Fatalf("the set of group %s is %v, want %v", r.group, got, want)
		}
		delete(bits, groupFacet(r.group, r.epoch))
	}
	if len(bits) > 0 {
		w.t.Fatalf("%d sets are left of former rules", len(bits))
	}
	var rules, served int
	w.each(w.query(`select count(*), count(*) filter (where served = epoch) from $.group_rule where tenant = $1`), []any{&rules, &served}, func() {})
	if want := len(book.inForce(book.latest())); rules != want || served != want {
		w.t.Fatalf("%d groups, %d of them served, want %d", rules, served, want)
	}
}

// compare rebuilds from zero and compares all rows.
func (w *groupWorld) compare() {
	w.t.Helper()
	b, err := w.p.Rebuild(w.t.Context(), GroupsName, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	differences, err := w.p.Compare(w.t.Context(), GroupsName, b.ID)
	if err != nil || len(differences) > 0 {
		w.t.Fatalf("rebuilt from zero: %+v, %v", differences, err)
	}
}
