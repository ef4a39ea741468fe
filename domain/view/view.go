// Package view decides which saved views a tenant has: a filter, an order and columns of the customer list under a name.
package view

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
)

// Stream is the one stream of a tenant's views.
const Stream = "views"

// Bounds of views.
const (
	MaxName    = 50  // characters of a name
	MaxColumns = 50  // columns of a view
	MaxOwned   = 100 // views of one owner, shared ones included
	MaxViews   = 500 // views of a tenant
)

// Owner is who has made a view: an actor of the tenant.
type Owner struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// View is one saved view.
type View struct {
	ID   uuid.UUID
	Name string
	// Filter is in its canonical form.
	Filter json.RawMessage
	// Sort is one of Sorts, or by a custom field.
	Sort    string
	Columns []string
	Owner   Owner
	// Shared is set if everybody who may list customers sees it, and not its owner alone.
	Shared bool
	// Version is how many events the view has seen.
	Version int64
}

// SeenBy reports whether somebody sees the view.
func (v View) SeenBy(who Owner) bool { return v.Shared || v.Owner == who }

// State is the catalogue of views. Its zero value is a tenant without views.
type State struct {
	// All has every view that exists.
	All map[uuid.UUID]View
}

// Sorted lists the views in the order in which they were made: ids are made in the order of time.
func (s *State) Sorted() []View {
	return slices.SortedFunc(maps.Values(s.All), func(a, b View) int { return slices.Compare(a.ID[:], b.ID[:]) })
}

// Uses lists the views that read a field in their filter, show it as a column or are sorted by it, by its name in the filter language
// ("custom.level"), oldest first. Private ones are among them.
func (s *State) Uses(field string) []domain.Use {
	return s.using(func(v View) bool {
		return slices.Contains(v.Columns, field) || strings.TrimPrefix(v.Sort, "-") == field || filter.Mentions(v.Filter).Field(field)
	})
}

// UsesOption lists the views whose filter names an option of a field, oldest first. Private ones are among them.
func (s *State) UsesOption(field, option string) []domain.Use {
	return s.using(func(v View) bool { return filter.Mentions(v.Filter).Value(field, option) })
}

func (s *State) using(uses func(View) bool) []domain.Use {
	var found []domain.Use
	for _, v := range s.Sorted() {
		if uses(v) {
			found = append(found, domain.Use{Kind: domain.UseView, ID: v.ID, Name: v.Name})
		}
	}
	return found
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State { return State{All: maps.Clone(s.All)} }

// Apply folds one event, given by value. Events of other aggregates are ignored. at is not needed here.
func (s *State) Apply(e domain.Event, _ time.Time) {
	switch e := e.(type) {
	case Saved:
		if s.All == nil {
			s.All = map[uuid.UUID]View{}
		}
		before := s.All[e.View]
		s.All[e.View] = View{
			ID: e.View, Name: e.Name, Filter: e.Filter, Sort: e.Sort, Columns: e.Columns, Owner: e.Owner,
			Shared: before.Shared, Version: before.Version + 1,
		}
	case Shared:
		s.share(e.View, true)
	case Unshared:
		s.share(e.View, false)
	case Deleted:
		delete(s.All, e.View)
	}
}

func (s *State) share(id uuid.UUID, shared bool) {
	if v, found := s.All[id]; found {
		v.Shared = shared
		v.Version++
		s.All[id] = v
	}
}
