// Package association decides which accounts of which channels are connected to a tenant.
package association

import (
	"slices"
	"time"

	"customercenter/domain"
)

// Stream is the one stream of a tenant's associations.
const Stream = "associations"

// Association is one connected account of a channel.
type Association struct {
	ID      int // 1, 2, 3 …; people type it into spreadsheets
	Channel string
	Account string
	Name    string
	Removed bool
	// Version is how many events it has seen: 1 when it was registered.
	Version int64
}

// State is every association the tenant ever had. Its zero value is a tenant without any.
type State struct {
	// All is in the order of the ids. Removed ones stay, because their customers do and their ids must come back.
	All []Association
}

// Find returns the association of that id, removed or not.
func (s *State) Find(id int) (Association, bool) {
	if i, found := s.index(id); found {
		return s.All[i], true
	}
	return Association{}, false
}

// Active returns the association of that id if it can be used.
// Refused: NOT_FOUND if the id was never given, ASSOCIATION_GONE if the association was removed.
func (s *State) Active(id int) (Association, error) {
	a, found := s.Find(id)
	if !found {
		return Association{}, domain.Refuse(domain.CodeNotFound).At("association_id")
	}
	if a.Removed {
		return Association{}, domain.Refuse(domain.CodeAssociationGone).At("association_id")
	}
	return a, nil
}

// ByAccount returns the association of that account, removed or not. account must be in the form Register stores.
func (s *State) ByAccount(channel, account string) (Association, bool) {
	for _, a := range s.All {
		if a.Channel == channel && a.Account == account {
			return a, true
		}
	}
	return Association{}, false
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State {
	return State{All: slices.Clone(s.All)}
}

// Apply folds one event, given by value. Events of other aggregates are ignored. at is not needed here.
func (s *State) Apply(e domain.Event, _ time.Time) {
	switch e := e.(type) {
	case Registered:
		a := Association{ID: e.Association, Channel: e.Channel, Account: e.Account, Name: e.Name, Version: 1}
		if i, found := s.index(e.Association); found {
			a.Version += s.All[i].Version
			s.All[i] = a
		} else {
			s.All = slices.Insert(s.All, i, a)
		}
	case Renamed:
		if i, found := s.index(e.Association); found {
			s.All[i].Name = e.Name
			s.All[i].Version++
		}
	case Removed:
		if i, found := s.index(e.Association); found {
			s.All[i].Removed = true
			s.All[i].Version++
		}
	}
}

func (s *State) index(id int) (int, bool) {
	return slices.BinarySearchFunc(s.All, id, func(a Association, id int) int { return a.ID - id })
}
