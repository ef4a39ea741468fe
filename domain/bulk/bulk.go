// Package bulk decides what becomes of one thing that is asked for of many customers: to be tagged, untagged, put on the blacklist or taken
// off it.
package bulk

import (
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/customer"
	"customercenter/domain/filter"
	"customercenter/domain/job"
)

// Action is what is done to each customer. The names are stored and never change.
type Action string

// The actions.
const (
	Tag         Action = "tag"
	Untag       Action = "untag"
	Blacklist   Action = "blacklist"
	Unblacklist Action = "unblacklist"
)

// Actions lists them.
func Actions() []Action { return []Action{Tag, Untag, Blacklist, Unblacklist} }

// MaxNamed is how many customers can be named. Others are found by a filter.
const MaxNamed = 10_000

// State is a bulk action. Its zero value is none.
type State struct {
	Asked    Started
	Status   job.Status // empty: there is none
	Chosen   bool       // it is settled who is meant
	Selected Selected
	// Done is how many of them were seen to; Changed to how many something happened, Refused to how many it was refused.
	Done, Changed, Refused int
	// Undoing says that it is being undone, or was when it failed; Looked is how many were seen to, Undone of how many it was undone, Kept of how
	// many it was not.
	Undoing              bool
	Looked, Undone, Kept int
	Code                 string // of a failure
	StartedAt, EndedAt   time.Time
}

// Clone returns a copy: nothing that it shares is changed by Apply.
func (s *State) Clone() State { return *s }

// Apply folds one event, given by value. Events of other aggregates are ignored. at is when it happened.
func (s *State) Apply(e domain.Event, at time.Time) {
	switch e := e.(type) {
	case Started:
		*s = State{Asked: e, Status: job.Running, StartedAt: at}
	case Selected:
		s.Chosen, s.Selected = true, e
	case Applied:
		s.Done = e.To
		s.Changed += len(e.Changed)
		s.Refused += len(e.Refused)
	case Completed:
		s.Status, s.EndedAt = job.Completed, at
	case Failed:
		s.Status, s.Code, s.EndedAt = job.Failed, e.Code, at
	case Canceled:
		s.Status, s.EndedAt = job.Canceled, at
	case UndoStarted:
		s.Status, s.Undoing, s.Code, s.EndedAt = job.Running, true, "", time.Time{} // it goes on where one that failed has stopped
	case Undone:
		s.Looked = e.To
		s.Undone += e.Count
		s.Kept += len(e.Kept)
	case Reverted:
		s.Status, s.Undoing, s.EndedAt = job.Reverted, false, at
	}
}

// Draft is a bulk action that is asked for.
type Draft struct {
	Action    Action
	Tag       uuid.UUID
	Reason    string
	ExpiresAt time.Time // zero: never
	// Filter was parsed against the tenant's fields and may read groups; nil if the customers are named.
	Filter    *filter.Filter
	Customers []uuid.UUID
}

// Start begins a bulk action under a new id.
//
// Refused: VALIDATION at action; at tag_id, reason or expires_at as for one customer; at ids for nobody, for more than MaxNamed, and beside a filter;
// TAG_UNKNOWN and GROUP_UNKNOWN, in the filter with their paths; CONFLICT if the id is taken.
func (s *State) Start(id uuid.UUID, d Draft, now time.Time, tags, groups func(uuid.UUID) bool) ([]Event, error) {
	if s.Status != "" {
		return nil, domain.Refuse(domain.CodeConflict)
	}
	e := Started{Bulk: id, Action: d.Action}
	switch d.Action {
	case Tag, Untag:
		switch {
		case d.Tag == uuid.Nil:
			return nil, domain.Invalid("tag_id", domain.RuleRequired)
		case !tags(d.Tag):
			return nil, domain.Refuse(domain.CodeTagUnknown).At("tag_id")
		}
		e.Tag = d.Tag
	case Blacklist:
		// As for somebody who is not listed: what is wrong with the reason is wrong for everybody.
		probe := customer.State{Exists: true}
		listed, err := probe.Blacklist(d.Reason, d.ExpiresAt, now)
		if err != nil {
			return nil, err
		}
		event := listed[0].(customer.Blacklisted)
		e.Reason, e.ExpiresAt = event.Reason, event.ExpiresAt
	case Unblacklist:
	default:
		return nil, domain.Invalid("action", domain.RuleOneOf)
	}
	switch {
	case d.Filter != nil && len(d.Customers) > 0:
		return nil, domain.Invalid("ids", domain.RuleUnknown)
	case len(d.Customers) > MaxNamed:
		return nil, domain.Invalid("ids", domain.RuleTooMany).With("max", MaxNamed)
	case d.Filter != nil:
		if err := d.Filter.CheckNamed(tags, groups); err != nil {
			return nil, err
		}
		e.Filter = d.Filter.JSON()
	case len(d.Customers) == 0:
		return nil, domain.Invalid("ids", domain.RuleRequired)
	default:
		e.Customers = once(d.Customers)
	}
	return []Event{e}, nil
}

func once(ids []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]struct{}, len(ids))
	var all []uuid.UUID
	for _, id := range ids {
		if _, twice := seen[id]; !twice {
			seen[id] = struct{}{}
			all = append(all, id)
		}
	}
	return all
}

// Going reports whether there is somebody to be seen to.
func (s *State) Going() bool { return s.Status == job.Running && !s.Undoing }

// Select settles who is meant. If that is nobody, it is complete. Nothing if it was settled before.
func (s *State) Select(chosen Selected) []Event {
	if !s.Going() || s.Chosen {
		return nil
	}
	if chosen.Customers == 0 {
		return []Event{chosen, Completed{}}
	}
	return []Event{chosen}
}

// Record says what became of the next customers. The last of them completes the action. Nothing if they are not the next ones.
func (s *State) Record(done Applied) []Event {
	if !s.Going() || !s.Chosen || done.From != s.Done || done.To <= done.From || done.To > s.Selected.Customers {
		return nil
	}
	if done.To == s.Selected.Customers {
		return []Event{done, Completed{}}
	}
	return []Event{done}
}

// Fail says that it cannot go on. Nothing if it is not going on.
func (s *State) Fail(code string) []Event {
	if s.Status != job.Running {
		return nil
	}
	return []Event{Failed{Code: code}}
}

// Cancel stops it. What was done stays. One that was canceled before is left as it is.
//
// Refused: NOT_FOUND; JOB_STATUS once it has been seen to everybody, and while it is undone.
func (s *State) Cancel() ([]Event, error) {
	switch {
	case s.Status == "":
		return nil, job.NotFound()
	case s.Status == job.Canceled:
		return nil, nil
	case !s.Going():
		return nil, job.Wrong(s.Status)
	}
	return []Event{Canceled{}}, nil
}

// Undo has it undone. Refused: NOT_FOUND; JOB_STATUS unless it has come to an end, something has happened, and it was not undone.
func (s *State) Undo() ([]Event, error) {
	ended := s.Status == job.Completed || s.Status == job.Failed || s.Status == job.Canceled
	switch {
	case s.Status == "":
		return nil, job.NotFound()
	case !ended || s.Changed == 0:
		return nil, job.Wrong(s.Status)
	}
	return []Event{UndoStarted{}}, nil
}

// RecordUndone says what became of the customers of the next Applied. Behind the last one it is undone. Nothing if they are not the next ones.
func (s *State) RecordUndone(done Undone) []Event {
	if s.Status != job.Running || !s.Undoing || done.From != s.Looked || done.To <= done.From || done.To > s.Done {
		return nil
	}
	if done.To == s.Done {
		return []Event{done, Reverted{}}
	}
	return []Event{done}
}

// Do is what the action does to one customer; nothing if there is nothing to change. Refused as for one customer.
func (s *State) Do(who *customer.State, now time.Time, known customer.Known) ([]customer.Event, error) {
	switch s.Asked.Action {
	case Tag:
		return who.Tag(s.Asked.Tag, known)
	case Untag:
		return who.Untag(s.Asked.Tag)
	case Blacklist:
		var expires time.Time
		if s.Asked.ExpiresAt != nil {
			expires = *s.Asked.ExpiresAt
		}
		return who.Blacklist(s.Asked.Reason, expires, now)
	default:
		return who.Unblacklist(now)
	}
}

// Before is what was before a change that is to be undone, and what has happened to the customer since, as far as it matters.
type Before struct {
	Listing *customer.Blacklisted // that was ended; nil if none was
	Since   []domain.Event
}

// UndoOne is what undoes the action for a customer to whom something happened by it. now is the instant of undoing.
//
// Refused: NOT_FOUND if the customer is no more; CHANGED_SINCE if the same tag, or the listing, was touched since; TAG_UNKNOWN if the tag has left
// the catalogue; NOT_BLACKLISTED if the listing has expired, or would have.
func (s *State) UndoOne(who *customer.State, before Before, now time.Time, known customer.Known) ([]customer.Event, error) {
	if !who.Exists {
		return nil, job.NotFound()
	}
	for _, e := range before.Since {
		if s.concerns(e) {
			return nil, domain.Refuse(domain.CodeChangedSince)
		}
	}
	switch s.Asked.Action {
	case Tag:
		return who.Untag(s.Asked.Tag)
	case Untag:
		return who.Tag(s.Asked.Tag, known)
	case Blacklist:
		return who.Unblacklist(now)
	}
	if before.Listing == nil {
		return nil, domain.Refuse(domain.CodeChangedSince)
	}
	var expires time.Time
	if at := before.Listing.ExpiresAt; at != nil {
		if expires = *at; !expires.After(now) {
			return nil, domain.Refuse(domain.CodeNotBlacklisted)
		}
	}
	return who.Blacklist(before.Listing.Reason, expires, now)
}

// concerns reports whether an event touches what the action has changed.
func (s *State) concerns(e domain.Event) bool {
	switch e := e.(type) {
	case customer.Created: // another life
		return true
	case customer.Tagged:
		return e.Tag == s.Asked.Tag
	case customer.Untagged:
		return e.Tag == s.Asked.Tag
	case customer.Blacklisted, customer.Unblacklisted:
		return s.Asked.Action == Blacklist || s.Asked.Action == Unblacklist
	}
	return false
}
