package projections

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"customercenter/projections/projector"
)

// This file brings customers to where they are to be although nothing happens to them: because time passes, and because a rule was changed.
//
// A change of rules counts for everybody from its instant on, but it takes a while until everybody has been looked at. Customers are
// filled in the order of their ordinals; one to whom something happens before that is looked at then. Until all are, the members by the
// former rule are served, and follow what happens to customers; then those by the new one, at once.

// groupWork is what Gather has found: one of the two.
type groupWork struct {
	timers []uuid.UUID // for whom the clock may have changed something
	until  time.Time   // up to here
	fill   []uuid.UUID // of the next in the order of ordinals, those to whom the change of rules may matter
	cursor int64       // of the last of the next
	last   bool        // there are no more
}

// Idle implements projector.Timed.
func (f *groupsFold) Idle() bool { return f.open() == nil && f.book.latest() == 0 }

// Next implements projector.Timed.
func (f *groupsFold) Next() (time.Time, bool) {
	if f.open() == nil && f.state().Base < f.book.latest() {
		return time.Time{}, true
	}
	return f.soonest, !f.soonest.IsZero()
}

// timersAtOnce is how many customers are moved by the clock in one piece of work. Each takes some thirty times as long as one whom a new rule passes
// over, by whom pieces are measured, too.
const timersAtOnce = 500

// Gather implements projector.Timed. The clock comes before the rules: it must not be late, and there is less of it.
func (f *groupsFold) Gather(ctx context.Context, from projector.Reader, until time.Time, limit int) (found bool, next time.Time, err error) {
	if err := f.open(); err != nil {
		return false, next, err
	}
	f.soonest, f.work = time.Time{}, groupWork{until: until}
	if f.work.timers, err = f.dueCustomers(ctx, from, until, min(limit, timersAtOnce)); err != nil {
		return false, next, err
	}
	if len(f.work.timers) == 0 && f.state().Base < f.book.latest() {
		if err := f.nextCustomers(ctx, from, limit); err != nil {
			return false, next, err
		}
	} else if len(f.work.timers) == 0 {
		next, err = earliestDue(ctx, from, f.fired)
		return false, next, err
	}
	for _, some := range [][]uuid.UUID{f.work.timers, f.work.fill} {
		for _, id := range some {
			f.subjects.Touch(id)
			f.standings.Touch(id)
		}
	}
	return true, next, nil
}

// dueCustomers finds customers for whom the clock may change something up to an instant. One for whom a change of rules comes first is left
// alone: filling gets there.
//
// What was due before is found no more, but the index holds it until it is vacuumed, which old snapshots put off. So each look begins where the
// last one ended.
func (f *groupsFold) dueCustomers(ctx context.Context, from projector.Reader, until time.Time, limit int) ([]uuid.UUID, error) {
	state, least := f.state(), f.bound(f.state().Base, until)
	rows, err := from.Query(ctx, in(from.Schema, `select id, due_at from $.group_standing
		where tenant = $1 and due_at between $7 and $2 and due_at <= case when ordinal <= $3 then $4::timestamptz else $5::timestamptz end
		order by due_at limit $6`),
		from.Tenant, until, state.Cursor, f.bound(state.Target, until), least, limit, f.fired)
	if err != nil {
		return nil, fmt.Errorf("due: %w", err)
	}
	var found []uuid.UUID
	var id uuid.UUID
	var due time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &due}, func() error { found = append(found, id); return nil })
	if len(found) == limit && due.Before(least) {
		least = due.UTC()
	}
	f.fired = least
	return found, err
}

// bound is how far the clock may go for customers who are in an epoch: until the next one begins.
func (f *groupsFold) bound(epoch int, until time.Time) time.Time {
	if epoch < f.book.latest() {
		if at := f.book.at(epoch + 1).at; at.Before(until) {
			return at
		}
	}
	return until
}

// nextCustomers finds the customers who are to be filled next.
func (f *groupsFold) nextCustomers(ctx context.Context, from projector.Reader, limit int) error {
	cursor := int64(0)
	if state := f.state(); state.Target > state.Base {
		cursor = state.Cursor
	}
	f.work.cursor = math.MaxInt64
	rows, err := from.Query(ctx, in(from.Schema, "select "+f.subjects.Columns("s")+" from $.group_subject s where s.tenant = $1 and s.ordinal > $2 order by s.ordinal limit $3"),
		from.Tenant, cursor, limit)
	var found []uuid.UUID
	if err == nil {
		found, err = f.subjects.Adopt(rows)
	}
	if err != nil {
		return fmt.Errorf("to be filled: %w", err)
	}
	due, err := earliestDue(ctx, from, f.fired)
	if err != nil {
		return err
	}
	target := f.target()
	begun := due.IsZero() || due.After(f.book.at(target).at) // the clock has done all that it did before the change
	f.work.last = len(found) < limit
	for _, id := range found {
		row, _ := f.subjects.Peek(id)
		f.work.cursor = row.Ordinal
		if !begun || f.concerned(row, target) {
			f.work.fill = append(f.work.fill, id)
		}
	}
	return nil
}

// target is the epoch to which customers are filled at present, or would be from now on.
func (f *groupsFold) target() int {
	if state := f.state(); state.Target > state.Base {
		return state.Target
	}
	return f.book.latest()
}

// concerned reports whether the changes of rules up to an epoch may matter to a customer. One does not if all of it are groups that are new, the
// customer does not match their rules, and never will by the clock alone.
func (f *groupsFold) concerned(row *groupSubjectRow, target int) (may bool) {
	defer func() {
		if recover() != nil {
			may = true // it comes to light where the customer can be parked
		}
	}()
	base := f.state().Base
	if target != base+1 || f.reached(row) != base {
		return f.reached(row) < target
	}
	subject, err := row.known()
	if err != nil {
		return true
	}
	before, e := f.book.at(base), f.book.at(target)
	seen := subject.Subject
	seen.ID, seen.Tags = row.ID, f.book.tagsAt(seen.Tags, target)
	for _, id := range e.affected {
		rule, inForce := e.rule(id)
		_, had := before.rule(id)
		if had || !inForce || rule.filter.Match(&seen, e.at, e.calendar) || rule.timed && !rule.filter.NextFlip(&seen, e.at, e.calendar).IsZero() {
			return true
		}
	}
	return false
}

// earliestDue is the first instant, from one on before which nothing is due, at which the clock may change something; zero: never.
func earliestDue(ctx context.Context, from projector.Reader, after time.Time) (time.Time, error) {
	rows, err := from.Query(ctx, in(from.Schema, `select due_at from $.group_standing where tenant = $1 and due_at >= $2 order by due_at limit 1`), from.Tenant, after)
	if err != nil {
		return time.Time{}, fmt.Errorf("due: %w", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
	if err != nil || len(due) == 0 {
		return time.Time{}, err
	}
	return due[0].UTC(), nil
}

// Tend implements projector.Timed.
func (f *groupsFold) Tend(one func(customer uuid.UUID, do func() error) bool) error {
	bring := func(id uuid.UUID, where func(*groupPerson) (int, time.Time)) {
		if one(id, func() error { return f.bring(id, where) }) {
			return
		}
		// Without a row that falls due nobody looks for the customer again. When parked customers are folded anew, it is made anew.
		if standing, found := f.standings.Edit(id); found {
			standing.DueAt = nil
		}
	}
	for _, id := range f.work.timers {
		bring(id, func(p *groupPerson) (int, time.Time) { return p.epoch, f.bound(p.epoch, f.work.until) })
	}
	if len(f.work.timers) > 0 {
		return nil
	}
	target := f.target()
	if state := f.state(); state.Target == state.Base {
		state = f.editState()
		state.Target, state.Cursor = target, 0
	}
	at := f.book.at(target).at
	for _, id := range f.work.fill {
		bring(id, func(*groupPerson) (int, time.Time) { return target, at })
	}
	if state := f.editState(); f.work.last {
		state.Base, state.Cursor = target, 0
		f.serve(target)
	} else {
		state.Cursor = f.work.cursor
	}
	return nil
}

// bring takes one customer to an epoch and an instant.
func (f *groupsFold) bring(id uuid.UUID, where func(*groupPerson) (int, time.Time)) error {
	row, found := f.subjects.Peek(id)
	if !found {
		return errNoCustomer // rows change only here
	}
	p, err := f.person(row)
	if err != nil {
		return err
	}
	epoch, to := where(p)
	if err := f.advance(p, epoch, to); err != nil {
		return err
	}
	return f.save(p)
}

// serve shows the members by the rules of an epoch, now that everybody has been looked at. A rule that was changed again meanwhile waits for its
// next change.
func (f *groupsFold) serve(epoch int) {
	var changed []uuid.UUID
	for row := range f.rules.All() {
		if row.Epoch <= epoch && row.Served != row.Epoch {
			changed = append(changed, row.Group)
		}
	}
	for _, id := range changed {
		row, _ := f.rules.Edit(id)
		if row.Served != 0 {
			f.bits.Drop(groupFacet(id, row.Served))
		}
		row.Served, row.ServedRevision = row.Epoch, row.Revision
		if row.Revision == 0 {
			f.rules.Delete(id)
		}
	}
}

// Settle implements projector.Timed.
func (f *groupsFold) Settle(id uuid.UUID, clock time.Time) error {
	row, found := f.subjects.Peek(id)
	if !found {
		return nil // never created, as far as the log goes
	}
	return f.bring(id, func(p *groupPerson) (int, time.Time) {
		epoch := max(p.epoch, f.filled(row.Ordinal))
		return epoch, f.bound(epoch, clock)
	})
}
