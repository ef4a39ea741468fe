package projections

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/filter"
	"customercenter/projections/projector"
)

// This file moves one customer through time: into groups and out of them.

type groupStandingRow struct {
	ID      uuid.UUID
	Ordinal int64  // 0: is no customer any more
	First   int64  // the ordinal of the first life: changes are kept by it
	Groups  string // JSON array of membership, sorted by group
	Changes int64
	DueAt   *time.Time

	groups []membership // Groups, once it was read; never changed but replaced
}

type groupChangeRow struct {
	ID       int64 // see changeKey
	Written  int64
	Group    uuid.UUID
	Revision int
	Customer uuid.UUID
	Entered  bool
	At       time.Time
	Kind     string
	Position int64
	Evidence string // JSON array
}

func newGroupStandings() *projector.Rows[uuid.UUID, groupStandingRow] {
	type r = groupStandingRow
	return projector.NewRows("group_standing", "id", "uuid", func(r *r) *uuid.UUID { return &r.ID },
		projector.Value("ordinal", "bigint", func(r *r) *int64 { return &r.Ordinal }),
		projector.Value("first", "bigint", func(r *r) *int64 { return &r.First }),
		projector.PlainJSON("groups", func(r *r) *string { return &r.Groups }),
		projector.Value("changes", "bigint", func(r *r) *int64 { return &r.Changes }),
		projector.Value("due_at", "timestamptz", func(r *r) **time.Time { return &r.DueAt }),
	)
}

func newGroupChanges() *projector.Rows[int64, groupChangeRow] {
	type r = groupChangeRow
	return projector.NewRows("group_change", "id", "bigint", func(r *r) *int64 { return &r.ID },
		projector.Value("written", "bigint", func(r *r) *int64 { return &r.Written }),
		projector.Value("group_id", "uuid", func(r *r) *uuid.UUID { return &r.Group }),
		projector.Value("revision", "int", func(r *r) *int { return &r.Revision }),
		projector.Value("customer", "uuid", func(r *r) *uuid.UUID { return &r.Customer }),
		projector.Value("entered", "bool", func(r *r) *bool { return &r.Entered }),
		projector.Value("at", "timestamptz", func(r *r) *time.Time { return &r.At }),
		projector.Value("kind", "text", func(r *r) *string { return &r.Kind }),
		projector.Value("position", "bigint", func(r *r) *int64 { return &r.Position }),
		projector.PlainJSON("evidence", func(r *r) *string { return &r.Evidence }),
	)
}

// changeKey names the n-th entry or leave, counted from 1, of the customer who had an ordinal at the first one. Those of a customer follow each other,
// and those of a rule that is filled do.
func changeKey(first, n int64) int64 { return first<<changeBits + n }

// changeBits are for the changes of one customer.
const changeBits = 24

// Kinds of causes of an entry or a leave. They are stored and published.
const (
	causeEvent = "event" // something happened to the customer
	causeClock = "clock" // time passed
	causeRule  = "rule"  // the rule changed, or what it means
)

// cause is what led to an entry or a leave.
type cause struct {
	kind     string
	position int64 // in the log; 0 for the clock
}

// groupPerson is one customer on the way.
type groupPerson struct {
	id      uuid.UUID
	ordinal int64
	first   int64 // the ordinal at the first change
	subject *groupSubject
	epoch   int          // all changes of rules up to this one have been judged
	raw     string       // the groups as they are kept, until they are read
	groups  []membership // sorted by group; once they are read
	read    bool
	changes int64
	due     time.Time // when the clock may change something; zero: never

	stored  bool // there is a row
	changed bool
	seen    *filter.Subject // the subject as of an epoch; nil: not made yet
	seenAt  int             // which
}

var errStanding = errors.New("the groups of a customer cannot be read")

// person is the customer of a row, which must have been touched.
func (f *groupsFold) person(row *groupSubjectRow) (*groupPerson, error) {
	subject, err := row.known()
	if err != nil {
		return nil, err
	}
	p := &groupPerson{id: row.ID, ordinal: row.Ordinal, first: f.first(row.Ordinal), subject: subject, epoch: f.reached(row), raw: noGroups}
	f.stands(p)
	return p, nil
}

// stands adds what is kept of a customer's groups, of an earlier life too. The row must have been touched.
func (f *groupsFold) stands(p *groupPerson) {
	standing, found := f.standings.Peek(p.id)
	if !found {
		return
	}
	p.stored, p.first, p.raw, p.changes = true, standing.First, standing.Groups, standing.Changes
	if standing.groups != nil {
		p.groups, p.read = standing.groups, true
	}
	if standing.DueAt != nil {
		p.due = standing.DueAt.UTC()
	}
}

// reached is the epoch that a customer is in: that of the last event, or the one to which all customers up to some ordinal were brought.
func (f *groupsFold) reached(row *groupSubjectRow) int {
	if f.kept != nil {
		return row.Epoch // folded anew: the others do not matter
	}
	return max(row.Epoch, f.filled(row.Ordinal))
}

// filled is the epoch to which all customers of an ordinal were brought.
func (f *groupsFold) filled(ordinal int64) int {
	state := f.state()
	if ordinal <= state.Cursor {
		return state.Target
	}
	return state.Base
}

// save writes down where the customer is now.
func (f *groupsFold) save(p *groupPerson) error {
	if !p.changed {
		return nil
	}
	if !p.due.IsZero() && (f.soonest.IsZero() || p.due.Before(f.soonest)) {
		f.soonest = p.due
	}
	if !p.due.IsZero() && p.due.Before(f.fired) {
		f.fired = p.due
	}
	if p.none() && p.changes == 0 && p.due.IsZero() {
		if p.stored {
			f.standings.Delete(p.id)
		}
		return nil
	}
	row := groupStandingRow{ID: p.id, Ordinal: p.ordinal, First: p.first, Groups: p.raw, Changes: p.changes}
	if p.read {
		row.Groups, row.groups = string(appendMemberships(nil, p.groups)), p.groups
	}
	if !p.due.IsZero() {
		row.DueAt = &p.due
	}
	f.standings.Put(row)
	return nil
}

// as is the customer as filters see one during an epoch.
func (f *groupsFold) as(p *groupPerson, epoch int) *filter.Subject {
	if p.seen == nil || p.seenAt != epoch {
		seen := p.subject.Subject
		seen.ID = p.id
		seen.Tags = f.book.tagsAt(seen.Tags, epoch)
		p.seen, p.seenAt = &seen, epoch
	}
	return p.seen
}

// advance takes a customer to an epoch and an instant: what the clock did on the way, each at its own instant and by the rules of its
// time, and the changes of rules where they came. Of one instant the clock comes first.
func (f *groupsFold) advance(p *groupPerson, last int, to time.Time) error {
	for {
		var next *epoch
		if p.epoch < last {
			next = f.book.at(p.epoch + 1)
		}
		switch due := p.due; {
		case !due.IsZero() && !due.After(to) && (next == nil || !due.After(next.at)):
			if err := f.judge(p, due, cause{kind: causeClock}, f.book.at(p.epoch).moving); err != nil {
				return err
			}
		case next == nil:
			return nil
		default:
			if err := f.revise(p, next); err != nil {
				return err
			}
		}
	}
}

// judge lets some rules of the customer's epoch judge at an instant. The others cannot have changed their mind.
func (f *groupsFold) judge(p *groupPerson, at time.Time, why cause, rules []inForce) error {
	p.seen = nil // the subject may be another one
	if len(rules) == 0 && why.kind == causeEvent {
		f.follow(p, at)
		return nil
	}
	e := f.book.at(p.epoch)
	subject := f.as(p, p.epoch)
	for _, r := range rules {
		in := p.has(r.group)
		if in == r.filter.Match(subject, at, e.calendar) {
			continue
		}
		i, err := p.place(r.group)
		switch {
		case err != nil:
		case in:
			f.bits.Clear(groupFacet(r.group, r.epoch), p.ordinal)
			err = f.leave(p, i, r.groupRule, at, e, why)
		default:
			f.bits.Set(groupFacet(r.group, r.epoch), p.ordinal)
			err = f.enter(p, i, r.groupRule, at, e, why)
		}
		if err != nil {
			return err
		}
	}
	f.expect(p, at)
	f.follow(p, at)
	return nil
}

// revise takes a customer through a change of rules. Who stays in a group keeps the cause and the time of the entry, and gets the evidence of
// the new rule. The members by the rule that is served until the change has reached everybody are left alone; see follow.
func (f *groupsFold) revise(p *groupPerson, e *epoch) error {
	before := f.book.at(e.number - 1)
	why := cause{causeRule, e.position}
	p.epoch = e.number
	subject := f.as(p, e.number)
	for _, id := range e.affected {
		was := p.has(id)
		if old, had := before.rule(id); was && had && f.served(id) != old.epoch {
			f.bits.Clear(groupFacet(id, old.epoch), p.ordinal)
		}
		rule, inForce := e.rule(id)
		is := inForce && rule.filter.Match(subject, e.at, e.calendar)
		if is {
			f.bits.Set(groupFacet(id, e.number), p.ordinal)
		}
		if !is && !was {
			continue
		}
		i, err := p.place(id)
		switch {
		case err != nil:
		case is && was:
			err = f.explain(p, i, rule.groupRule, e)
		case is:
			err = f.enter(p, i, rule.groupRule, e.at, e, why)
		case was && inForce:
			err = f.leave(p, i, rule.groupRule, e.at, e, why)
		case was:
			err = f.leave(p, i, &groupRule{group: id}, e.at, e, why)
		}
		if err != nil {
			return err
		}
	}
	f.expect(p, e.at)
	return nil
}

// served is the epoch whose members of a group are shown; 0 if none are.
func (f *groupsFold) served(id uuid.UUID) int {
	if row, found := f.rules.Peek(id); found {
		return row.Served
	}
	return 0
}

func (f *groupsFold) enter(p *groupPerson, i int, r *groupRule, at time.Time, e *epoch, why cause) error {
	evidence, err := f.evidence(p, r, at, e)
	if err != nil {
		return err
	}
	p.groups = slices.Insert(slices.Clone(p.groups), i, membership{Group: r.group})
	f.note(p, r, true, at, why, evidence)
	return nil
}

func (f *groupsFold) leave(p *groupPerson, i int, r *groupRule, at time.Time, e *epoch, why cause) error {
	evidence, err := f.evidence(p, r, at, e)
	if err != nil {
		return err
	}
	p.groups = slices.Delete(slices.Clone(p.groups), i, i+1)
	f.note(p, r, false, at, why, evidence)
	return nil
}

// explain has a membership tell what a newer rule than that of its entry sees.
func (f *groupsFold) explain(p *groupPerson, i int, r *groupRule, e *epoch) error {
	evidence, err := f.evidence(p, r, e.at, e)
	if err != nil {
		return err
	}
	p.groups = slices.Clone(p.groups)
	p.groups[i].Evidence = evidence
	p.changed = true
	return nil
}

// evidence is what the rule saw, as JSON; nothing for the end of a group.
func (f *groupsFold) evidence(p *groupPerson, r *groupRule, at time.Time, e *epoch) (json.RawMessage, error) {
	if r.filter == nil {
		return json.RawMessage("[]"), nil
	}
	evidence, err := json.Marshal(r.filter.Explain(f.as(p, e.number), at, e.calendar))
	if err != nil {
		return nil, errors.New("what a rule saw cannot be written as JSON")
	}
	return evidence, nil
}

// note writes down an entry or a leave.
func (f *groupsFold) note(p *groupPerson, r *groupRule, entered bool, at time.Time, why cause, evidence json.RawMessage) {
	p.changes++
	p.changed = true
	state := f.editState()
	state.Written++
	f.changes.Create(groupChangeRow{
		ID: changeKey(p.first, p.changes), Written: state.Written, Group: r.group, Revision: r.revision, Customer: p.id, Entered: entered,
		At: at, Kind: why.kind, Position: why.position, Evidence: string(evidence),
	})
}

// leaveAll ends all memberships, at the end of a life.
func (f *groupsFold) leaveAll(p *groupPerson, at time.Time, why cause) error {
	if err := p.know(); err != nil {
		return err
	}
	f.unset(p)
	for _, m := range p.groups {
		rule, _ := f.book.at(p.epoch).rule(m.Group)
		f.note(p, rule.groupRule, false, at, why, json.RawMessage("[]"))
	}
	p.groups, p.changed = nil, true
	return nil
}

// unset takes a customer out of the sets of all groups, also of those that are served while other members are being found.
func (f *groupsFold) unset(p *groupPerson) {
	for _, m := range p.groups {
		if rule, found := f.book.at(p.epoch).rule(m.Group); found {
			f.bits.Clear(groupFacet(m.Group, rule.epoch), p.ordinal)
		}
	}
	for row := range f.rules.All() {
		if row.Served != 0 && row.Served != row.Epoch {
			f.bits.Clear(groupFacet(row.Group, row.Served), p.ordinal)
		}
	}
}

// expect finds out when the clock may next change something.
func (f *groupsFold) expect(p *groupPerson, at time.Time) {
	e := f.book.at(p.epoch)
	subject := f.as(p, p.epoch)
	var due time.Time
	for _, r := range e.moving {
		flip := r.filter.NextFlip(subject, at, e.calendar)
		if !flip.IsZero() && (due.IsZero() || flip.Before(due)) {
			due = flip
		}
	}
	if due = micros(due); !due.Equal(p.due) {
		p.due, p.changed = due, true
	}
}
