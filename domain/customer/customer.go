// Package customer decides who a tenant's customers are: their identity, profile and tags, which session, if any,
// is unfinished, and who is blacklisted.
package customer

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
)

// How a customer came to be. The names are stored and never change.
const (
	ViaInbound = "inbound"
	ViaImport  = "import"
	ViaAPI     = "api"
)

// State is what a customer is. Its zero value is somebody who is not a customer.
type State struct {
	Exists bool
	// Generation counts the lives of this identity, from 1; 0 if it never was a customer. Who is a customer no more keeps that of the last one.
	Generation int
	// Erased says that the last life has ended by an erasure: nothing is left to be erased.
	Erased bool
	Via    string
	// Import is the import that created the customer; zero if none did.
	Import uuid.UUID
	// Touched says that something has happened on the customer's stream since the creation.
	Touched     bool
	Association int
	Channel     string
	ExternalID  string
	Profile     Profile
	Tags        []uuid.UUID // in the order in which they were put on
	CreatedAt   time.Time
	// Unfinished is the session that has not ended; its ID is zero if there is none.
	Unfinished Session
	// Finished has the latest RememberedSessions sessions that ended, oldest first.
	Finished []Session
	// Listing is the customer's place on the blacklist, expired or not; nil if there is none. It is never changed in place.
	Listing *Listing
	// LastCustomerMessageAt is when the customer last wrote in a session that has ended, as was known at its end; zero if never. See Wrote.
	LastCustomerMessageAt time.Time
}

// Session is what a customer's stream knows of a session. Both instants are those of the events that opened and ended it.
type Session struct {
	ID       uuid.UUID
	OpenedAt time.Time
	ClosedAt time.Time
}

// RememberedSessions is how many finished sessions a State keeps, so that a late message finds the one it belongs to.
const RememberedSessions = 8

// HasTag reports whether the customer carries the tag. The tag may have left the catalogue since.
func (s *State) HasTag(tag uuid.UUID) bool { return slices.Contains(s.Tags, tag) }

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State {
	c := *s
	c.Profile.Custom = maps.Clone(s.Profile.Custom)
	c.Tags = slices.Clone(s.Tags)
	c.Finished = slices.Clone(s.Finished)
	return c
}

// Apply folds one event, given by value. Events of other aggregates are ignored. at is when the event occurred; if it
// says nothing of that, when it was recorded.
func (s *State) Apply(e domain.Event, at time.Time) {
	_, own := e.(Event)
	if _, read := e.(Disclosed); own && !read {
		s.Touched = true // whatever it is; a life begins and ends untouched
	}
	switch e := e.(type) {
	case Created:
		*s = State{
			Exists: true, Generation: e.Generation, CreatedAt: at, Via: e.Via, Import: e.Import,
			Association: e.Association, Channel: e.Channel, ExternalID: e.ExternalID,
			Profile: e.Profile, Tags: slices.Clone(e.Tags),
		}
		s.Profile.Custom = maps.Clone(e.Profile.Custom)
	case Withdrawn:
		*s = State{Generation: s.Generation, Association: s.Association, Channel: s.Channel} // by these and the external id the person can still be named
	case Erased:
		*s = State{Generation: s.Generation, Erased: true}
	case ProfileChanged:
		for key, change := range e.Fields {
			s.Profile.set(key, change.New)
		}
	case Tagged:
		if !s.HasTag(e.Tag) {
			s.Tags = append(s.Tags, e.Tag)
		}
	case Untagged:
		if i := slices.Index(s.Tags, e.Tag); i >= 0 {
			s.Tags = slices.Delete(s.Tags, i, i+1)
		}
	case SessionOpened:
		s.Unfinished = Session{ID: e.Session, OpenedAt: at}
	case SessionClosed:
		s.close(e, at)
	case Blacklisted:
		s.Listing = &Listing{Since: at}
		if e.ExpiresAt != nil {
			s.Listing.ExpiresAt = *e.ExpiresAt
		}
	case Unblacklisted:
		s.Listing = nil
	}
}

func (s *State) close(e SessionClosed, at time.Time) {
	if last := e.LastCustomerMessageAt; last != nil && last.After(s.LastCustomerMessageAt) {
		s.LastCustomerMessageAt = *last
	}
	if s.Unfinished.ID != e.Session {
		return
	}
	ended := s.Unfinished
	ended.ClosedAt = at
	s.Unfinished = Session{}
	if len(s.Finished) == RememberedSessions {
		s.Finished = slices.Delete(s.Finished, 0, 1)
	}
	s.Finished = append(s.Finished, ended)
}
