package customer

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
)

// OpenSession marks that the customer has an unfinished session from now on, begun by initiator: domain.PartyCustomer or
// domain.PartyAgent. Doing it again with the same id changes nothing. It belongs into one append with session.Start.
//
// Refused: NOT_FOUND if there is no customer; SESSION_OPEN if another session is unfinished; SESSION_ENDED if this very
// session ended before; CUSTOMER_BLACKLISTED; VALIDATION for another initiator.
func (s *State) OpenSession(session uuid.UUID, initiator string, now time.Time) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	if initiator != domain.PartyCustomer && initiator != domain.PartyAgent {
		return nil, domain.Invalid("initiator", domain.RuleOneOf)
	}
	switch {
	case session == uuid.Nil:
		return nil, domain.Invalid("session", domain.RuleRequired)
	case s.Unfinished.ID == session:
		return nil, nil
	case s.hasUnfinished():
		return nil, domain.Refuse(domain.CodeSessionOpen).With("session", s.Unfinished.ID)
	case slices.ContainsFunc(s.Finished, func(f Session) bool { return f.ID == session }):
		return nil, domain.Refuse(domain.CodeSessionEnded)
	case s.Blacklisted(now):
		return nil, domain.Refuse(domain.CodeCustomerBlacklisted)
	}
	return []Event{SessionOpened{Session: session, Initiator: initiator}}, nil
}

func (s *State) hasUnfinished() bool { return s.Unfinished.ID != uuid.Nil }

// CloseSession marks that the session has ended, closed or aborted. lastCustomerMessageAt is when the customer last
// wrote in it, zero if never. If that session is not the unfinished one nothing changes. It belongs into one append with
// what ends the session itself, so that both ends are the same instant.
//
// Refused: NOT_FOUND if there is no customer.
func (s *State) CloseSession(session uuid.UUID, aborted bool, lastCustomerMessageAt time.Time) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	if session == uuid.Nil || s.Unfinished.ID != session {
		return nil, nil
	}
	closed := SessionClosed{Session: session, Aborted: aborted}
	if !lastCustomerMessageAt.IsZero() {
		closed.LastCustomerMessageAt = &lastCustomerMessageAt
	}
	return []Event{closed}, nil
}

// Placement is where a message belongs.
type Placement struct {
	// Session is the session that takes the message; zero if one must be opened for it.
	Session uuid.UUID
	// Late is set if that session has ended already. Nothing is opened for a late message.
	Late bool
}

// Opens reports whether a session must be opened for the message.
func (p Placement) Opens() bool { return p.Session == uuid.Nil }

// SessionFor says where a message belongs that occurred at occurredAt and is handled at now.
//
// A message that happened before a session's end goes into that session even if it comes after the end, however late.
// Anything else goes into the unfinished session, and if there is none a new one must be opened. Among ended sessions
// it is the first to end after the message: had the message come in time, it would have been unfinished then. Only
// RememberedSessions are considered, so what is older than all of them goes into the oldest of them.
//
// Refused: OCCURRED_IN_FUTURE as in domain.CheckOccurred.
func (s *State) SessionFor(occurredAt, now time.Time) (Placement, error) {
	if err := domain.CheckOccurred(occurredAt, now); err != nil {
		return Placement{}, err
	}
	// Clocks differ, so an unfinished session may have begun before the one before it ended; what happened in it stays in it.
	if s.Unfinished.ID != uuid.Nil && !occurredAt.Before(s.Unfinished.OpenedAt) {
		return Placement{Session: s.Unfinished.ID}, nil
	}
	for _, f := range s.Finished {
		if occurredAt.Before(f.ClosedAt) {
			return Placement{Session: f.ID, Late: true}, nil
		}
	}
	return Placement{Session: s.Unfinished.ID}, nil
}
