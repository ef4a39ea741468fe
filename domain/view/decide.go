package view

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/filter"
	"customercenter/domain/text"
)

// DefaultSort is the order of a view that says none.
const DefaultSort = "-created_at"

// sorts are the orders of the customer list; with "-" the other way round.
var sorts = []string{"created_at", "last_session_at", "updated_at", "nickname"}

// columns are what the customer list can show besides custom fields ("custom.<key>").
var columns = []string{
	"external_id", "nickname", "name", "phone", "qq", "wechat_id", "email", "company", "description",
	"association", "channel", "created_via", "created_at", "updated_at", "tags", "groups",
	"first_session_at", "last_session_at", "last_message_at", "last_agent", "session_count", "message_count", "suppressed_count",
	"rating_avg", "rating_last", "session_open", "ever_served", "imported", "blacklisted", "blacklisted_at",
}

// Sorts lists the orders that every tenant's views can have. Besides, there are those by custom fields: "custom.<key>" and "-custom.<key>".
func Sorts() []string {
	var all []string
	for _, s := range sorts {
		all = append(all, s, "-"+s)
	}
	return all
}

// Columns lists the columns that every tenant has.
func Columns() []string { return slices.Clone(columns) }

// Person is who asks for something.
type Person struct {
	Owner
	// Admin may share, and change what is shared.
	Admin bool
}

// Draft is what a view is to be. What is nil stays as it is; in a new view it is everybody, DefaultSort, no columns, not shared.
type Draft struct {
	Name *string
	// Filter was parsed against the tenant's fields and may read groups.
	Filter  *filter.Filter
	Sort    *string
	Columns *[]string
	Shared  *bool
}

// Known says what exists for a view to name.
type Known struct {
	Tags, Groups func(uuid.UUID) bool
	// Custom reports whether there is a custom field, by its key; Ordered whether customers can be sorted by it.
	Custom, Ordered func(key string) bool
}

// Create makes a view under a new id.
//
// Refused: VALIDATION for a name that is not 1 to MaxName characters, an unknown order, and columns that are unknown, there twice or
// more than MaxColumns; VIEW_EXISTS if the owner has another private view of that name, or for a shared view if another shared one has it,
// compared without case and width; TAG_UNKNOWN and GROUP_UNKNOWN with the path in the filter; FORBIDDEN at "shared" unless an admin
// shares it; LIMIT_REACHED with MaxOwned or MaxViews; CONFLICT if the id is taken.
func (s *State) Create(id uuid.UUID, by Person, draft Draft, known Known) ([]Event, error) {
	if _, taken := s.All[id]; taken {
		return nil, domain.Refuse(domain.CodeConflict)
	}
	if draft.Name == nil {
		return nil, domain.Invalid("name", domain.RuleRequired)
	}
	everybody := filter.Filter{}
	fresh := View{ID: id, Filter: everybody.JSON(), Sort: DefaultSort, Columns: []string{}, Owner: by.Owner}
	events, err := s.become(fresh, by, draft, known)
	if err != nil {
		return nil, err
	}
	owned := 0
	for _, v := range s.All {
		if v.Owner == by.Owner {
			owned++
		}
	}
	switch {
	case owned >= MaxOwned:
		return nil, domain.Refuse(domain.CodeLimitReached).With("max", MaxOwned)
	case len(s.All) >= MaxViews:
		return nil, domain.Refuse(domain.CodeLimitReached).With("max", MaxViews)
	}
	return events, nil
}

// Change makes something else of a view. Its owner may, and an admin if it is shared; what an admin stops sharing is its owner's alone.
// Refused: NOT_FOUND if there is none or it is another's private one; FORBIDDEN if it is another's shared one; and as in Create.
func (s *State) Change(id uuid.UUID, by Person, draft Draft, known Known) ([]Event, error) {
	v, found := s.All[id]
	switch {
	case !found || !v.SeenBy(by.Owner):
		return nil, domain.Refuse(domain.CodeNotFound)
	case v.Owner != by.Owner && !by.Admin:
		return nil, domain.Refuse(domain.CodeForbidden)
	}
	return s.become(v, by, draft, known)
}

// Delete ends a view. Its owner may, and an admin with every view: also with another's private one, which may stand in the way of removing
// a field. Refused: NOT_FOUND and FORBIDDEN as in Change.
func (s *State) Delete(id uuid.UUID, by Person) ([]Event, error) {
	v, found := s.All[id]
	switch {
	case !found || !v.SeenBy(by.Owner) && !by.Admin:
		return nil, domain.Refuse(domain.CodeNotFound)
	case v.Owner != by.Owner && !by.Admin:
		return nil, domain.Refuse(domain.CodeForbidden)
	}
	return []Event{Deleted{View: id}}, nil
}

// become returns what makes the draft of a view, which may be one that does not exist yet.
func (s *State) become(v View, by Person, draft Draft, known Known) ([]Event, error) {
	next := v
	if draft.Name != nil {
		name, err := domain.NormalizeName(*draft.Name, MaxName)
		if err != nil {
			return nil, err
		}
		next.Name = name
	}
	if draft.Filter != nil {
		next.Filter = draft.Filter.JSON()
		if v.Version == 0 || !bytes.Equal(next.Filter, v.Filter) { // what is not touched may name what has gone since
			if err := draft.Filter.CheckNamed(known.Tags, known.Groups); err != nil {
				return nil, err
			}
		}
	}
	if draft.Sort != nil {
		key, custom := customSort(*draft.Sort)
		if custom && !known.Ordered(key) || !custom && !slices.Contains(Sorts(), *draft.Sort) {
			return nil, domain.Invalid("sort", domain.RuleOneOf)
		}
		next.Sort = *draft.Sort
	}
	if draft.Columns != nil {
		if err := checkColumns(*draft.Columns, known); err != nil {
			return nil, err
		}
		next.Columns = append([]string{}, *draft.Columns...)
	}
	if draft.Shared != nil && *draft.Shared != v.Shared {
		if !by.Admin {
			return nil, domain.Refuse(domain.CodeForbidden).At("shared")
		}
		next.Shared = *draft.Shared
	}
	if s.nameTaken(next) {
		return nil, domain.Refuse(domain.CodeViewExists).At("name")
	}
	return difference(v, next), nil
}

// difference is what has to happen for one view to become the other. A view that has seen nothing yet becomes one in any case.
func difference(v, next View) []Event {
	var events []Event
	same := v.Name == next.Name && v.Sort == next.Sort && slices.Equal(v.Columns, next.Columns) && bytes.Equal(v.Filter, next.Filter)
	if !same || v.Version == 0 {
		events = append(events, Saved{View: next.ID, Name: next.Name, Filter: next.Filter, Sort: next.Sort, Columns: next.Columns, Owner: next.Owner})
	}
	switch {
	case next.Shared && !v.Shared:
		events = append(events, Shared{View: next.ID})
	case v.Shared && !next.Shared:
		events = append(events, Unshared{View: next.ID})
	}
	return events
}

// nameTaken reports whether another view has the name where it would be seen: among the shared ones, or among the owner's private ones.
func (s *State) nameTaken(v View) bool {
	folded := text.Fold(v.Name)
	for _, other := range s.All {
		if other.ID != v.ID && other.Shared == v.Shared && (v.Shared || other.Owner == v.Owner) && text.Fold(other.Name) == folded {
			return true
		}
	}
	return false
}

// customSort is the key of the custom field that an order is by.
func customSort(sort string) (key string, custom bool) {
	return strings.CutPrefix(strings.TrimPrefix(sort, "-"), customPrefix)
}

// customPrefix stands before the key of a custom field in an order or a column, as in the filter language.
const customPrefix = "custom."

func checkColumns(names []string, known Known) error {
	if len(names) > MaxColumns {
		return domain.Invalid("columns", domain.RuleTooMany).With("max", MaxColumns)
	}
	for i, name := range names {
		at := fmt.Sprintf("columns[%d]", i)
		key, custom := strings.CutPrefix(name, customPrefix)
		if custom && !known.Custom(key) || !custom && !slices.Contains(columns, name) {
			return domain.Invalid(at, domain.RuleOneOf)
		}
		if slices.Contains(names[:i], name) {
			return domain.Invalid(at, domain.RuleDuplicate)
		}
	}
	return nil
}
