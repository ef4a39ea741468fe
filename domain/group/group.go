// Package group decides which groups a tenant has: rules that customers enter and leave by themselves. Who is in a group is no
// business of this package; it follows from the log, the rules and the clock.
package group

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/text"
)

// Stream is the one stream of a tenant's groups.
const Stream = "groups"

// Bounds of groups.
const (
	MaxName   = 50  // characters of a name
	MaxGroups = 200 // groups of a tenant
)

// Group is one group.
type Group struct {
	ID   uuid.UUID
	Name string
	// Rule is the filter by which customers belong to the group, in its canonical form.
	Rule json.RawMessage
	// Revision counts the rules that the group has had: 1 for the one it was defined with.
	Revision     int
	AgentVisible bool
	// Version is how many events the group has seen: 1 when it was defined.
	Version int64
}

// State is the catalogue of groups. Its zero value is a tenant without groups.
type State struct {
	// All has every group that exists.
	All map[uuid.UUID]Group
	// byName finds a group by the folded form of its name.
	byName map[string]uuid.UUID
}

// Known reports whether the group exists.
func (s *State) Known(id uuid.UUID) bool {
	_, known := s.All[id]
	return known
}

// Sorted lists the groups in the order in which they were defined: ids are made in the order of time.
func (s *State) Sorted() []Group {
	return slices.SortedFunc(maps.Values(s.All), func(a, b Group) int { return slices.Compare(a.ID[:], b.ID[:]) })
}

// Uses lists the groups whose rule reads a field, by its name in the filter language ("custom.level"), oldest first.
func (s *State) Uses(field string) []domain.Use {
	return s.using(func(mentioned filter.Mentioned) bool { return mentioned.Field(field) })
}

// UsesOption lists the groups whose rule names an option of a field, oldest first.
func (s *State) UsesOption(field, option string) []domain.Use {
	return s.using(func(mentioned filter.Mentioned) bool { return mentioned.Value(field, option) })
}

// DependingOn lists the groups whose members would be others without a tag, oldest first.
func (s *State) DependingOn(tag uuid.UUID) (ids []uuid.UUID) {
	for _, g := range s.Sorted() {
		if filter.DependsOn(g.Rule, "tags", tag.String()) {
			ids = append(ids, g.ID)
		}
	}
	return ids
}

func (s *State) using(uses func(filter.Mentioned) bool) []domain.Use {
	var found []domain.Use
	for _, g := range s.Sorted() {
		if uses(filter.Mentions(g.Rule)) {
			found = append(found, domain.Use{Kind: domain.UseGroup, ID: g.ID, Name: g.Name})
		}
	}
	return found
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State {
	return State{All: maps.Clone(s.All), byName: maps.Clone(s.byName)}
}

// Apply folds one event, given by value. Events of other aggregates are ignored. at is not needed here.
func (s *State) Apply(e domain.Event, _ time.Time) {
	switch e := e.(type) {
	case Defined:
		s.put(Group{ID: e.Group, Name: e.Name, Rule: e.Rule, Revision: 1, AgentVisible: e.AgentVisible})
	case Revised:
		s.change(e.Group, func(g *Group) { g.Rule, g.Revision = e.Rule, e.Revision })
	case Renamed:
		s.change(e.Group, func(g *Group) { g.Name = e.Name })
	case VisibilitySet:
		s.change(e.Group, func(g *Group) { g.AgentVisible = e.AgentVisible })
	case Deleted:
		delete(s.byName, text.Fold(s.All[e.Group].Name))
		delete(s.All, e.Group)
	}
}

func (s *State) change(id uuid.UUID, how func(*Group)) {
	g, found := s.All[id]
	if !found {
		return
	}
	delete(s.byName, text.Fold(g.Name))
	how(&g)
	s.put(g)
}

func (s *State) put(g Group) {
	if s.All == nil {
		s.All, s.byName = map[uuid.UUID]Group{}, map[string]uuid.UUID{}
	}
	g.Version++
	s.All[g.ID] = g
	s.byName[text.Fold(g.Name)] = g.ID
}
