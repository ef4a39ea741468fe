package projections

import (
	_ "embed"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/customer"
	"customercenter/eventstore"
	"customercenter/projections/projector"
)

//go:embed groups.sql
var groupsSQL string

// GroupsName is the name of the read model of who is in which group.
const GroupsName = "groups"

// GroupsDefinition is the read model of who is in which group, since when and why.
//
// What a customer's groups are is a function of the customer's events, the changes of rules in the log, and the clock. For one customer
// these happen in one order, whatever the order in which they are worked off here: before an event or a change of rules recorded at r counts,
// all that the clock alone did to the customer up to r, judged at its own instant by the rules then in force; then the event or the
// change, judged at r. So a build made from zero has the rows of one that was fed as it happened: members, times, causes and evidence.
func GroupsDefinition() projector.Definition {
	tables, indexes := projector.Sections(groupsSQL)
	return projector.Definition{
		Name: GroupsName, Version: 6,
		Types: []string{
			"customer.created", "customer.profile_changed", "customer.tagged", "customer.untagged",
			"customer.blacklisted", "customer.unblacklisted", "suppressed.message_recorded", "customer.withdrawn", "customer.erased",
			"customer.session_opened", "customer.session_closed",
			"session.accepted", "session.transferred", "session.message_recorded", "session.rated",
			// These say what rules there are, and what they mean: see ruleEvent.
			"group.defined", "group.revised", "group.deleted", "settings.time_zone_set", "settings.week_start_set", "tag.deleted",
			"field.added", "field.changed", "field.enabled", "field.disabled", "field.removed",
		},
		Blind:  []string{"session.message_recorded", "session.rated", "suppressed.message_recorded", "customer.blacklisted"},
		Tables: tables, Indexes: indexes,
		Aside: []string{"group_change.written", "group_state.written", "group_bits_written"},
		New:   newGroupsFold,
	}
}

type groupStateRow struct {
	Name         string
	Ordinals     int64
	Base, Target int
	Cursor       int64
	Written      int64
}

// groupState is the name of the one row of a tenant in group_state.
const groupState = "state"

type groupRuleRow struct {
	Group                  uuid.UUID
	Epoch, Revision        int
	Served, ServedRevision int
}

// groupsFold is the fold of the read model "groups".
type groupsFold struct {
	subjects  *projector.Rows[uuid.UUID, groupSubjectRow]
	standings *projector.Rows[uuid.UUID, groupStandingRow]
	bits      *projector.Bits
	changes   *projector.Rows[int64, groupChangeRow]
	catalogue *projector.Rows[int64, groupCatalogueRow]
	rules     *projector.Rows[uuid.UUID, groupRuleRow]
	states    *projector.Rows[string, groupStateRow]
	parked    *projector.Rows[int64, customerParkedRow]

	book *ruleBook // what the catalogue says; nil: to be read anew
	// kept are the ordinals, by position of creation, of a customer that is folded anew; nil otherwise.
	kept map[int64]int64
	// keptFirst is under which number the changes of that customer were kept; 0: there were none.
	keptFirst int64
	// soonest is the earliest instant of the clock at which one of the customers touched since the last Gather may change; zero: none.
	soonest time.Time
	fired   time.Time // nobody is due before; the year 1: not known
	work    groupWork // what Gather has found
}

func newGroupsFold() projector.Fold {
	return &groupsFold{
		subjects: newGroupSubjects(), standings: newGroupStandings(), changes: newGroupChanges(), catalogue: newGroupCatalogueRows(),
		bits: projector.NewBits("group_bits", "facet"),
		rules: projector.NewRows("group_rule", "id", "uuid", func(r *groupRuleRow) *uuid.UUID { return &r.Group },
			projector.Value("epoch", "int", func(r *groupRuleRow) *int { return &r.Epoch }),
			projector.Value("revision", "int", func(r *groupRuleRow) *int { return &r.Revision }),
			projector.Value("served", "int", func(r *groupRuleRow) *int { return &r.Served }),
			projector.Value("served_revision", "int", func(r *groupRuleRow) *int { return &r.ServedRevision }),
		).Whole(),
		states: projector.NewRows("group_state", "name", "text", func(r *groupStateRow) *string { return &r.Name },
			projector.Value("ordinals", "bigint", func(r *groupStateRow) *int64 { return &r.Ordinals }),
			projector.Value("base", "int", func(r *groupStateRow) *int { return &r.Base }),
			projector.Value("target", "int", func(r *groupStateRow) *int { return &r.Target }),
			projector.Value("cursor", "bigint", func(r *groupStateRow) *int64 { return &r.Cursor }),
			projector.Value("written", "bigint", func(r *groupStateRow) *int64 { return &r.Written }),
		).Whole(),
		parked: projector.NewRows("group_parked", "position", "bigint", func(r *customerParkedRow) *int64 { return &r.Position },
			projector.Value("customer", "uuid", func(r *customerParkedRow) *uuid.UUID { return &r.Customer }),
			projector.Value("ordinal", "bigint", func(r *customerParkedRow) *int64 { return &r.Ordinal })),
	}
}

func (f *groupsFold) Tables() []projector.Table {
	return []projector.Table{f.subjects, f.standings, f.bits, f.changes, f.catalogue, f.rules, f.states, f.parked}
}

func (f *groupsFold) Touch(e *eventstore.Decoded) {
	if e.Customer == uuid.Nil {
		return
	}
	if created, ok := e.Payload.(customer.Created); ok && created.Generation <= 1 {
		return // nobody was written under this id before
	}
	f.subjects.Touch(e.Customer)
	if f.book == nil || f.book.latest() > 0 { // without rules there are no standings
		f.standings.Touch(e.Customer)
	}
}

func (f *groupsFold) Apply(e *eventstore.Decoded) error {
	if e.Customer == uuid.Nil {
		return f.catalogued(e)
	}
	if err := f.open(); err != nil {
		return err
	}
	switch payload := e.Payload.(type) {
	case customer.Created:
		return f.created(e, payload)
	case customer.Withdrawn:
		return f.withdrawn(e)
	case customer.Erased:
		f.erased(e)
		return nil
	}
	row, found := f.subjects.Edit(e.Customer)
	if !found {
		return nil // of a life that was erased, see created
	}
	subject, err := row.known()
	if err != nil {
		return err
	}
	at, before := micros(e.RecordedAt), f.book.before(e.Position)
	after := *subject
	fields, err := after.apply(e)
	if err != nil {
		return err
	}
	rules := f.book.reading(before, fields)
	if len(rules) > 0 || f.reached(row) < before || f.dueBy(row.ID, at) || f.followed(before, fields) {
		if err := f.move(row, &after, e.Position, before, at, rules); err != nil {
			return err
		}
	}
	row.set(&after)
	row.Epoch = before
	return nil
}

// move takes a customer to an event, and through it.
func (f *groupsFold) move(row *groupSubjectRow, after *groupSubject, position int64, epoch int, at time.Time, rules []inForce) error {
	p, err := f.person(row)
	if err != nil {
		return err
	}
	if err := f.advance(p, epoch, at); err != nil {
		return err
	}
	p.subject = after
	if err := f.judge(p, at, cause{causeEvent, position}, rules); err != nil {
		return err
	}
	return f.save(p)
}

// dueBy reports whether the clock may have changed something for a customer up to an instant.
func (f *groupsFold) dueBy(id uuid.UUID, at time.Time) bool {
	standing, found := f.standings.Peek(id)
	return found && standing.DueAt != nil && !standing.DueAt.After(at)
}

// created begins a life of a customer. Another one that there was before ends: it leaves all groups.
func (f *groupsFold) created(e *eventstore.Decoded, c customer.Created) error {
	at, before := micros(e.RecordedAt), f.book.before(e.Position)
	why := cause{causeEvent, e.Position}
	p := &groupPerson{id: e.Customer, raw: noGroups}
	f.stands(p)
	if former, again := f.subjects.Peek(e.Customer); again {
		var err error
		if p, err = f.end(former, before, at, why); err != nil {
			return err
		}
	}
	if e.Erased {
		f.ordinal(&e.Event) // the place in the list is given all the same
		return nil
	}
	subject, err := newGroupSubject(e, c)
	if err != nil {
		return err
	}
	row := groupSubjectRow{ID: e.Customer, Ordinal: f.ordinal(&e.Event), Epoch: before, CreatedPosition: e.Position}
	row.set(subject)
	p.ordinal, p.subject, p.epoch, p.due = row.Ordinal, subject, before, time.Time{}
	p.changed = p.stored // the ordinal is another one
	if p.changes == 0 {
		p.first = f.first(row.Ordinal)
	}
	if err := f.judge(p, at, why, f.book.inForce(before)); err != nil {
		return err
	}
	f.subjects.Put(row)
	return f.save(p)
}

// withdrawn ends a life of a customer that no other one follows yet. What is kept of it are its entries and leaves.
func (f *groupsFold) withdrawn(e *eventstore.Decoded) error {
	row, found := f.subjects.Peek(e.Customer)
	if !found {
		return nil // of a life that was erased
	}
	p, err := f.end(row, f.book.before(e.Position), micros(e.RecordedAt), cause{causeEvent, e.Position})
	if err != nil {
		return err
	}
	p.ordinal, p.due = 0, time.Time{}
	f.subjects.Delete(p.id)
	return f.save(p)
}

// erased tells that somebody is in no group any more. Which groups it was, nobody knows: what the rules judged by is gone, and an entry or a leave says
// something of a person. So a life whose key is destroyed is in no group from its beginning on, with no entries and no leaves, and all groups that there
// were at the erasure are told of a leave. Only who is told of changes hears of these.
func (f *groupsFold) erased(e *eventstore.Decoded) {
	at := micros(e.RecordedAt)
	for i, r := range f.book.inForce(f.book.before(e.Position)) {
		state := f.editState()
		state.Written++
		f.changes.Create(groupChangeRow{
			ID: farewellKey(e.Position, i), Written: state.Written, Group: r.group, Revision: r.revision, Customer: e.Customer,
			At: at, Kind: causeEvent, Position: e.Position, Evidence: "[]",
		})
	}
}

// farewellKey names the leave of the n-th group, counted from 0, that an erasure tells of. It is below 0, unlike that of any other change.
func farewellKey(position int64, n int) int64 { return changeKey(-position, int64(n)) }

// end takes a customer to the event that ends a life, and out of all groups.
func (f *groupsFold) end(row *groupSubjectRow, epoch int, at time.Time, why cause) (*groupPerson, error) {
	p, err := f.person(row)
	if err != nil {
		return nil, err
	}
	if err := f.advance(p, epoch, at); err != nil {
		return nil, err
	}
	return p, f.leaveAll(p, at, why)
}

// open makes sure that the rules are known and that the tenant has its row in group_state. Rules that cannot be read are nobody's fault but the
// program's: projector.ErrStop.
func (f *groupsFold) open() error {
	if f.book == nil {
		book, err := readRuleBook(f.catalogue.All())
		if err != nil {
			return fmt.Errorf("%w: %w", projector.ErrStop, err)
		}
		f.book = book
	}
	if _, found := f.states.Peek(groupState); !found {
		f.states.Create(groupStateRow{Name: groupState})
	}
	return nil
}

// state is the tenant's row in group_state. open was called.
func (f *groupsFold) state() *groupStateRow {
	row, _ := f.states.Peek(groupState)
	return row
}

// editState is state, to be changed.
func (f *groupsFold) editState() *groupStateRow {
	row, _ := f.states.Edit(groupState)
	return row
}

// ordinal is the place of a customer.created among all of the tenant, as in the customer list.
func (f *groupsFold) ordinal(e *eventstore.Event) int64 {
	if f.kept != nil {
		return f.kept[e.Position] // an earlier life of the customer is not there: it ends in the same refold
	}
	state := f.editState()
	state.Ordinals++
	return state.Ordinals
}

// first is the number under which the changes are kept of a customer who had none when the ordinal was given.
func (f *groupsFold) first(ordinal int64) int64 {
	if f.keptFirst != 0 {
		return f.keptFirst
	}
	return ordinal
}

func (f *groupsFold) Skip(e *eventstore.Event) {
	if e.Type == "customer.created" && f.open() == nil { // what cannot be read now could not be read before either
		f.parked.Put(customerParkedRow{Position: e.Position, Customer: e.Customer, Ordinal: f.ordinal(e)})
	}
}

func (f *groupsFold) Recall(id uuid.UUID, events []eventstore.Decoded) {
	f.subjects.Touch(id)
	f.standings.Touch(id)
	for _, e := range events {
		if e.Type == "customer.created" {
			f.parked.Touch(e.Position)
		}
	}
}

func (f *groupsFold) Forget(id uuid.UUID, events []eventstore.Decoded) error {
	if err := f.open(); err != nil {
		return err
	}
	kept := map[int64]int64{}
	if row, found := f.subjects.Peek(id); found {
		// What the rows say of the customer may be just what is wrong, so none of it is asked which sets there are to leave.
		for _, e := range f.book.epochs {
			for _, group := range e.affected {
				f.bits.Clear(groupFacet(group, e.number), row.Ordinal)
			}
		}
		kept[row.CreatedPosition] = row.Ordinal
		f.subjects.Delete(id)
	}
	if standing, found := f.standings.Peek(id); found { // of who is a customer no more, too
		if standing.Changes > 0 {
			f.keptFirst = standing.First
		}
		for n := range standing.Changes {
			f.changes.Delete(changeKey(standing.First, n+1))
		}
		f.standings.Delete(id)
	}
	for _, e := range events {
		if row, found := f.parked.Peek(e.Position); found {
			kept[row.Position] = row.Ordinal
			f.parked.Delete(row.Position)
		}
		if e.Type == "customer.erased" {
			for i := range f.book.inForce(f.book.before(e.Position)) {
				f.changes.Delete(farewellKey(e.Position, i))
			}
		}
	}
	f.kept = kept
	return nil
}

// groupFacet is the number of the set of members that a group has by one of its rules.
func groupFacet(group uuid.UUID, epoch int) int64 {
	return facet("group", group.String()+"\x00"+strconv.Itoa(epoch))
}
