package customer

import (
	"time"

	"customercenter/domain"
	"customercenter/domain/text"
)

// MaxReason is the longest reason for blacklisting, in characters.
const MaxReason = 150

// lastYear is the last that can be written as a time in JSON. One of another zone may lie behind it.
const lastYear = 9999

// Why a customer left the blacklist. The names are stored and never change.
const (
	CauseManual  = "manual"
	CauseExpired = "expired"
)

// Listing is a customer's place on the blacklist.
type Listing struct {
	Since     time.Time
	ExpiresAt time.Time // zero: never
}

// Counts reports whether the listing counts at an instant: an expired one does not, even before it is lifted.
func (l *Listing) Counts(now time.Time) bool {
	return l != nil && (l.ExpiresAt.IsZero() || now.Before(l.ExpiresAt))
}

// Blacklisted reports whether the customer is on the blacklist at an instant.
func (s *State) Blacklisted(now time.Time) bool { return s.Listing.Counts(now) }

// Blacklist puts the customer on the blacklist from now on: messages are suppressed and open no session. expiresAt is when the
// listing ends by itself; zero for never. An expired listing that was not lifted yet is lifted in the same append.
//
// Refused: NOT_FOUND if there is no customer; ALREADY_BLACKLISTED; VALIDATION at reason (1 to MaxReason characters) and at
// expires_at, which must be after now and in no year of five digits.
func (s *State) Blacklist(reason string, expiresAt, now time.Time) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	reason, ok := text.Line(reason)
	switch {
	case !ok:
		return nil, domain.Invalid("reason", domain.RuleCharacters)
	case reason == "":
		return nil, domain.Invalid("reason", domain.RuleRequired)
	case text.Length(reason) > MaxReason:
		return nil, domain.TooLong("reason", MaxReason)
	case !expiresAt.IsZero() && !expiresAt.After(now):
		return nil, domain.Invalid("expires_at", domain.RuleFuture)
	case expiresAt.UTC().Year() > lastYear:
		return nil, domain.Invalid("expires_at", domain.RuleFormat)
	case s.Blacklisted(now):
		return nil, domain.Refuse(domain.CodeAlreadyBlacklisted)
	}
	listed := Blacklisted{Reason: reason}
	if !expiresAt.IsZero() {
		at := expiresAt.UTC()
		listed.ExpiresAt = &at
	}
	if s.Listing != nil {
		return []Event{Unblacklisted{Cause: CauseExpired}, listed}, nil
	}
	return []Event{listed}, nil
}

// Unblacklist takes the customer off the blacklist. Refused: NOT_FOUND if there is no customer; NOT_BLACKLISTED, also if the listing
// has expired.
func (s *State) Unblacklist(now time.Time) ([]Event, error) {
	if err := s.mustExist(); err != nil {
		return nil, err
	}
	if !s.Blacklisted(now) {
		return nil, domain.Refuse(domain.CodeNotBlacklisted)
	}
	return []Event{Unblacklisted{Cause: CauseManual}}, nil
}

// LiftExpired takes the customer off the blacklist if the listing has expired; otherwise nothing changes.
func (s *State) LiftExpired(now time.Time) ([]Event, error) {
	if s.Listing == nil || s.Blacklisted(now) {
		return nil, nil
	}
	return []Event{Unblacklisted{Cause: CauseExpired}}, nil
}
