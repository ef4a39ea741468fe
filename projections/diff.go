package projections

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/tag"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

// Kinds of differences. They are told by the API.
const (
	DiffAppeared  = "appeared"  // is a customer, and was none
	DiffWithdrawn = "withdrawn" // was a customer, and is none
	DiffChanged   = "changed"
	DiffActive    = "active" // only had sessions
)

// Difference is what is different of one customer from one moment to another. What was changed and changed back is none.
type Difference struct {
	Customer         uuid.UUID
	Kind             string
	ExternalID       string
	Fields           map[string]customer.Change // of the profile; nil is "not set"
	Tagged, Untagged []uuid.UUID
	Listed, Unlisted bool // is on the blacklist and was not; or the other way round
	Sessions         int  // opened in between
	Entered, Left    []uuid.UUID
}

// GroupFlow is how many customers changed from one group to another: were in From and not in To, and are in To and not in From. A zero id stands for
// no such group: who is in a group more, and in none less, came from there.
type GroupFlow struct {
	From, To  uuid.UUID
	Customers int64
}

// GroupTraffic is what happened at a group between two moments.
type GroupTraffic struct {
	Group         uuid.UUID
	Gained, Lost  int64 // customers who are in it and were not, and the other way round
	Entries, Left int64 // how often somebody entered and left, back and forth too
}

// DiffTotals adds up differences.
type DiffTotals struct {
	Appeared, Withdrawn, Changed, Active int64
	Sessions                             int64
	Fields                               map[string]int64 // customers by what is different: fields of the profile, tags, blacklisted
	Unread                               int64            // customers with an event that cannot be read; told of nowhere else
}

const (
	diffPage = 500 // customers compared at once
	// diffKept are customers of whom it is known that something happened, and who wait to be compared, of 16 bytes each; twice as many while it is
	// looked for them. Of so many the log is gone through once; of more, once again for each as many.
	diffKept = 1_000_000
	diffLook = 50_000 // positions, or entries and leaves, looked through at once
)

// Diff compares a tenant's customers as they were at two moments. It goes through the customers to whom something happened in between in the order of
// their ids, and memory has to do with how many they are only up to a bound: of very many it looks several times. It is used by one goroutine.
type Diff struct {
	groups   *Groups
	tenant   string
	from, to projector.Moment

	schema  string // of the read model of groups
	every   []uuid.UUID
	deleted map[uuid.UUID]bool // tags, by the later moment
	cursor  uuid.UUID          // customers up to this one are behind
	most    int                // of those that wait, see diffKept
	looking *looking           // what is under way
	waiting []uuid.UUID        // the next ones, sorted
	more    bool               // there may be others behind those
	totals  DiffTotals
	// compared is how many customers there were so far.
	compared int64
	traffic  map[uuid.UUID]*GroupTraffic
	flows    map[GroupFlow]int64 // by From and To
}

// Diff begins to compare. The read model of groups should have got to the later moment.
func (g *Groups) Diff(ctx context.Context, tenant string, from, to projector.Moment) (*Diff, error) {
	build, err := g.builds.Live(ctx, GroupsName)
	if err != nil {
		return nil, err
	}
	d := &Diff{
		groups: g, tenant: tenant, from: from, to: to, schema: build.Schema, most: diffKept, more: true, totals: DiffTotals{Fields: map[string]int64{}},
		traffic: map[uuid.UUID]*GroupTraffic{}, flows: map[GroupFlow]int64{},
	}
	d.from.At, d.to.At = micros(from.At), micros(to.At)
	rows, err := g.pool.Query(ctx, in(d.schema, `select (data ->> 'group')::uuid from $.group_catalogue where tenant = $1 and type = 'group.defined' order by position`), tenant)
	if err == nil {
		d.every, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	}
	if err == nil {
		err = d.readDeleted(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("projections: diff: %w", err)
	}
	return d, nil
}

// readDeleted reads which tags there are no more at the later moment.
func (d *Diff) readDeleted(ctx context.Context) error {
	stored, err := d.groups.store.ReadStreams(ctx, d.tenant, []string{tag.Stream}, []int64{0})
	if err != nil {
		return err
	}
	decoded, _, err := d.groups.store.OpenEach(ctx, stored) // an event that cannot be read deletes nothing
	d.deleted = map[uuid.UUID]bool{}
	for i := range decoded {
		if payload, is := decoded[i].Payload.(tag.Deleted); is && decoded[i].Position <= d.to.Position {
			d.deleted[payload.Tag] = true
		}
	}
	return err
}

// Judged reports whether groups have been judged up to the later moment: nobody is due, and no rule is being filled.
func (d *Diff) Judged(ctx context.Context) (judged bool, err error) {
	err = d.groups.pool.QueryRow(ctx, in(d.schema, `select not exists (select from $.group_rule r where r.tenant = $1 and r.served <> r.epoch)
		and not exists (select from $.group_standing s where s.tenant = $1 and s.due_at <= $2)`), d.tenant, d.to.At).Scan(&judged)
	if err != nil {
		return false, fmt.Errorf("projections: diff: %w", err)
	}
	return judged, nil
}

// Next compares the next customers, or looks on for some. A page may be empty though there are more.
func (d *Diff) Next(ctx context.Context) (page []Difference, more bool, err error) {
	if len(d.waiting) == 0 && d.more {
		if err := d.look(ctx); err != nil {
			return nil, false, fmt.Errorf("projections: diff: %w", err)
		}
		return nil, len(d.waiting) > 0 || d.more, nil
	}
	n := min(diffPage, len(d.waiting))
	if page, err = d.compare(ctx, d.waiting[:n]); err != nil {
		return nil, false, fmt.Errorf("projections: diff: %w", err)
	}
	d.waiting = d.waiting[n:]
	d.compared += int64(n)
	return page, len(d.waiting) > 0 || d.more, nil
}

// Looking tells how many events were looked through, and are to be, for customers to compare; false while some are compared.
func (d *Diff) Looking() (done, total int64, looks bool) {
	if d.looking == nil {
		return 0, 0, false
	}
	return d.looking.upTo - d.from.Position, d.to.Position - d.from.Position, true
}

// Compared is how many customers were compared so far, and of how many, as far as that is known: 0 if there may be others.
func (d *Diff) Compared() (done, total int64) {
	if d.more {
		return d.compared, 0
	}
	return d.compared, d.compared + int64(len(d.waiting))
}

// Totals adds up the differences so far.
func (d *Diff) Totals() DiffTotals { return d.totals }

// Traffic is what happened at each group so far, in the order in which they were defined; those where nothing did are left out.
func (d *Diff) Traffic() []GroupTraffic {
	var all []GroupTraffic
	for _, id := range d.every {
		if t := d.traffic[id]; t != nil {
			all = append(all, *t)
		}
	}
	return all
}

// Flows are how many changed from which group to which so far, the most first.
func (d *Diff) Flows() []GroupFlow {
	all := []GroupFlow{}
	for flow, n := range d.flows {
		flow.Customers = n
		all = append(all, flow)
	}
	slices.SortFunc(all, func(a, b GroupFlow) int {
		if a.Customers != b.Customers {
			return int(b.Customers - a.Customers)
		}
		return bytes.Compare(append(a.From[:], a.To[:]...), append(b.From[:], b.To[:]...))
	})
	return all
}

// looking is one look for the first customers behind the cursor to whom something happened, piece by piece.
type looking struct {
	first  firstIDs
	upTo   int64       // the position up to which the log was looked through
	groups []uuid.UUID // whose entries and leaves are still to be looked through
	at     time.Time   // those of the first of them, up to here
	id     int64
}

// look looks through the next piece, and at the end of the look has customers wait to be compared.
func (d *Diff) look(ctx context.Context) error {
	l := d.looking
	if l == nil {
		l = &looking{first: firstIDs{most: d.most}, upTo: d.from.Position, groups: d.every, at: d.from.At, id: -1}
		d.looking = l
	}
	switch {
	case l.upTo < d.to.Position:
		end := min(l.upTo+diffLook, d.to.Position)
		if err := l.first.query(ctx, d.groups.pool, `select distinct customer from events
			where tenant = $1 and position > $2 and position <= $3 and customer > $4 and stream like 'customer-%'`,
			d.tenant, l.upTo, end, d.cursor); err != nil {
			return err
		}
		l.upTo = end
	case len(l.groups) > 0:
		return d.lookAtMoves(ctx, l)
	default:
		d.looking = nil
		d.waiting, d.more = l.first.sorted()
		if n := len(d.waiting); n > 0 {
			d.cursor = d.waiting[n-1]
		}
	}
	return nil
}

// lookAtMoves finds the next of those who entered or left a group.
func (d *Diff) lookAtMoves(ctx context.Context, l *looking) error {
	rows, err := d.groups.pool.Query(ctx, in(d.schema, `select at, id, customer from $.group_change
		where tenant = $1 and group_id = $2 and (at, id) > ($3, $4) and at <= $5 and id > 0 order by at, id limit $6`), planned, d.tenant, l.groups[0], l.at, l.id, d.to.At, diffLook)
	if err != nil {
		return err
	}
	n := 0
	var who uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&l.at, &l.id, &who}, func() error {
		n++
		if bytes.Compare(who[:], d.cursor[:]) > 0 {
			l.first.add(who)
		}
		return nil
	}); err != nil {
		return err
	}
	if n < diffLook {
		l.groups, l.at, l.id = l.groups[1:], d.from.At, -1
	}
	return nil
}

// firstIDs gathers ids and keeps the first of them.
type firstIDs struct {
	most int
	ids  []uuid.UUID
	cut  bool // there were more
}

func (f *firstIDs) query(ctx context.Context, db reader, sql string, args ...any) error {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	var id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error { f.add(id); return nil })
	return err
}

func (f *firstIDs) add(id uuid.UUID) {
	if f.ids = append(f.ids, id); len(f.ids) >= 2*f.most {
		f.tidy()
	}
}

func (f *firstIDs) tidy() {
	slices.SortFunc(f.ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	f.ids = slices.Compact(f.ids)
	if len(f.ids) > f.most {
		f.ids, f.cut = f.ids[:f.most], true
	}
}

func (f *firstIDs) sorted() (ids []uuid.UUID, cut bool) {
	f.tidy()
	return f.ids, f.cut
}

// compare tells what is different of some customers.
func (d *Diff) compare(ctx context.Context, ids []uuid.UUID) ([]Difference, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	streams := make([]string, len(ids))
	for i, id := range ids {
		streams[i] = customer.Stream(id)
	}
	stored, err := d.groups.store.ReadStreams(ctx, d.tenant, streams, make([]int64, len(streams)))
	if err != nil {
		return nil, err
	}
	stored = slices.DeleteFunc(stored, func(e eventstore.Event) bool { return e.Position > d.to.Position })
	decoded, failed, err := d.groups.store.OpenEach(ctx, stored)
	if err != nil {
		return nil, err
	}
	lives := map[uuid.UUID]*lifeBetween{}
	for _, id := range ids {
		lives[id] = &lifeBetween{}
	}
	for i := range decoded {
		lives[decoded[i].Customer].apply(&decoded[i], failed[i], d.from.Position)
	}
	if err := d.groupsOf(ctx, ids, lives); err != nil {
		return nil, err
	}
	var page []Difference
	for _, id := range ids {
		life := lives[id]
		if life.broken {
			d.totals.Unread++
			continue
		}
		if difference, is := d.between(id, life); is {
			page = append(page, difference)
			d.count(&difference)
		}
	}
	return page, nil
}

// lifeBetween is a customer at both moments.
type lifeBetween struct {
	before, after customer.State
	externalID    string // also of who is none any more
	known         bool   // before is the state at the earlier moment
	sessions      int
	broken        bool
	was, is       map[uuid.UUID]bool // the groups
}

// apply folds an event. Those up to a position were before the earlier moment.
func (l *lifeBetween) apply(e *eventstore.Decoded, failed error, position int64) {
	payload, ok := e.Payload.(domain.Event)
	if failed != nil || !ok {
		l.broken = true
		return
	}
	if e.Position > position {
		l.divide()
		if _, opened := payload.(customer.SessionOpened); opened {
			l.sessions++
		}
	}
	l.after.Apply(payload, e.OccurredAt())
	if l.after.ExternalID != "" {
		l.externalID = l.after.ExternalID
	}
}

// divide notes that what comes from here on is behind the earlier moment.
func (l *lifeBetween) divide() {
	if !l.known {
		l.before, l.known = l.after.Clone(), true
	}
}

const movesOfSQL = `select s.id, c.group_id, c.entered, c.at, c.position from $.group_standing s
	cross join lateral (select group_id, entered, at, position, id from $.group_change
		where tenant = $1 and id > s.first << 24 and id <= (s.first << 24) + s.changes order by id) c
	where s.tenant = $1 and s.id = any($2) order by s.id, c.id`

// groupsOf finds out who was in which groups at both moments, and how often somebody came and went in between.
func (d *Diff) groupsOf(ctx context.Context, ids []uuid.UUID, lives map[uuid.UUID]*lifeBetween) error {
	rows, err := d.groups.pool.Query(ctx, in(d.schema, movesOfSQL), planned, d.tenant, ids)
	if err != nil {
		return err
	}
	var id, group uuid.UUID
	var entered bool
	var at time.Time
	var position int64
	_, err = pgx.ForEachRow(rows, []any{&id, &group, &entered, &at, &position}, func() error {
		life := lives[id]
		if life.broken {
			return nil
		}
		if life.is == nil {
			life.was, life.is = map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
		}
		happened := func(by projector.Moment) bool { return at.Before(by.At) || at.Equal(by.At) && position <= by.Position }
		switch {
		case happened(d.from):
			life.was[group], life.is[group] = entered, entered
		case happened(d.to):
			life.is[group] = entered
			if t := d.at(group); entered {
				t.Entries++
			} else {
				t.Left++
			}
		}
		return nil
	})
	return err
}

// at is the traffic of a group.
func (d *Diff) at(group uuid.UUID) *GroupTraffic {
	if d.traffic[group] == nil {
		d.traffic[group] = &GroupTraffic{Group: group}
	}
	return d.traffic[group]
}

// between tells what is different of one customer, and whether anything is.
func (d *Diff) between(id uuid.UUID, l *lifeBetween) (Difference, bool) {
	l.divide()
	diff := Difference{Customer: id, ExternalID: l.externalID, Sessions: l.sessions}
	for _, group := range d.every {
		switch was, is := l.was[group], l.is[group]; {
		case is && !was:
			diff.Entered = append(diff.Entered, group)
		case was && !is:
			diff.Left = append(diff.Left, group)
		}
	}
	before, after := &l.before, &l.after
	switch {
	case !before.Exists && !after.Exists:
		return diff, false
	case !after.Exists:
		diff.Kind = DiffWithdrawn
		return diff, true
	case !before.Exists:
		diff.Kind = DiffAppeared
	}
	diff.Fields = profileChanges(&before.Profile, &after.Profile)
	diff.Tagged, diff.Untagged = d.tagged(without(after.Tags, before.Tags)), d.tagged(without(before.Tags, after.Tags))
	was, is := before.Listing != nil, after.Listing != nil // one that expired ends when it is lifted: whoever goes on from here sees it then
	diff.Listed, diff.Unlisted = is && !was, was && !is
	switch {
	case diff.Kind != "":
	case len(diff.Fields)+len(diff.Tagged)+len(diff.Untagged)+len(diff.Entered)+len(diff.Left) > 0 || was != is:
		diff.Kind = DiffChanged
	case diff.Sessions > 0:
		diff.Kind = DiffActive
	}
	return diff, diff.Kind != ""
}

// tagged are those of some tags that there still are at the later moment. A tag that is deleted is nobody's any more, whatever customers' streams say later.
func (d *Diff) tagged(ids []uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(ids, func(id uuid.UUID) bool { return d.deleted[id] })
}

// without are the elements of one list that are not in another.
func without(all, others []uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(slices.Clone(all), func(id uuid.UUID) bool { return slices.Contains(others, id) })
}

// profileChanges are the fields of a profile that differ.
func profileChanges(before, after *customer.Profile) map[string]customer.Change {
	changes := map[string]customer.Change{}
	for _, f := range customer.Fields() {
		if was, is := before.Value(f.Key), after.Value(f.Key); was != is {
			changes[f.Key] = customer.Change{Old: setOrNil(was), New: setOrNil(is)}
		}
	}
	for key, is := range after.Custom {
		if was := before.Custom[key]; !reflect.DeepEqual(was, is) {
			changes[customer.CustomPrefix+key] = customer.Change{Old: was, New: is}
		}
	}
	for key, was := range before.Custom {
		if _, still := after.Custom[key]; !still {
			changes[customer.CustomPrefix+key] = customer.Change{Old: was}
		}
	}
	return changes
}

// setOrNil is a text, or nil if it is empty.
func setOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// count adds a difference to the figures.
func (d *Diff) count(diff *Difference) {
	t := &d.totals
	switch diff.Kind {
	case DiffAppeared:
		t.Appeared++
	case DiffWithdrawn:
		t.Withdrawn++
	case DiffChanged:
		t.Changed++
	case DiffActive:
		t.Active++
	}
	t.Sessions += int64(diff.Sessions)
	if diff.Kind == DiffChanged {
		for name := range diff.Fields {
			t.Fields[name]++
		}
		if len(diff.Tagged)+len(diff.Untagged) > 0 {
			t.Fields["tags"]++
		}
		if diff.Listed || diff.Unlisted {
			t.Fields["blacklisted"]++
		}
	}
	for _, group := range diff.Entered {
		d.at(group).Gained++
	}
	for _, group := range diff.Left {
		d.at(group).Lost++
	}
	from, to := diff.Left, diff.Entered
	if len(from) == 0 {
		from = []uuid.UUID{uuid.Nil}
	}
	if len(to) == 0 {
		to = []uuid.UUID{uuid.Nil}
	}
	if len(diff.Left)+len(diff.Entered) == 0 {
		return
	}
	for _, a := range from {
		for _, b := range to {
			d.flows[GroupFlow{From: a, To: b}]++
		}
	}
}
