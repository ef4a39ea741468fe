package automessage

import (
	"maps"
	"time"

	"github.com/google/uuid"

	"customercenter/domain"
)

// Bounds of the lists of customers.
const (
	MaxAdded  = 500    // put on a list at once
	MaxListed = 20_000 // on one list
)

// ListStream is the name of the stream of an auto message's list.
func ListStream(id uuid.UUID) string { return "audience-" + id.String() }

// List is who was put on the list of an auto message by hand. Its zero value is an empty list.
type List struct {
	has map[uuid.UUID]struct{}
}

// Clone returns a copy that shares nothing that Apply changes.
func (l *List) Clone() List { return List{has: maps.Clone(l.has)} }

// Apply folds one event, given by value. Events of other aggregates are ignored. at is not needed here.
func (l *List) Apply(e domain.Event, _ time.Time) {
	added, ok := e.(RecipientsAdded)
	if !ok {
		return
	}
	if l.has == nil {
		l.has = make(map[uuid.UUID]struct{}, len(added.Customers))
	}
	for _, id := range added.Customers {
		l.has[id] = struct{}{}
	}
}

// ListSize is how many customers are on a list. It is for those who need not know which: a list has many, and there may be many lists.
type ListSize struct{ Customers int }

// Clone returns a copy.
func (l *ListSize) Clone() ListSize { return *l }

// Apply folds one event, given by value: List.Add puts nobody on a list who is on it. Events of other aggregates are ignored.
func (l *ListSize) Apply(e domain.Event, _ time.Time) {
	if added, ok := e.(RecipientsAdded); ok {
		l.Customers += len(added.Customers)
	}
}

// Add puts customers on the list of an auto message, each once, in the order given. Who is on it already stays there.
//
// Refused: VALIDATION at customers for nobody, and for more than MaxAdded; LIMIT_REACHED at customers if more than MaxListed would be on it.
func (l *List) Add(autoMessage uuid.UUID, customers []uuid.UUID) ([]ListEvent, error) {
	switch {
	case len(customers) == 0:
		return nil, domain.Invalid("customers", domain.RuleRequired)
	case len(customers) > MaxAdded:
		return nil, domain.Invalid("customers", domain.RuleTooMany).With("max", MaxAdded)
	}
	added := make([]uuid.UUID, 0, len(customers))
	seen := make(map[uuid.UUID]struct{}, len(customers))
	for _, id := range customers {
		_, here := l.has[id]
		_, twice := seen[id]
		if !here && !twice {
			added = append(added, id)
			seen[id] = struct{}{}
		}
	}
	switch {
	case len(added) == 0:
		return nil, nil
	case len(l.has)+len(added) > MaxListed:
		return nil, domain.Refuse(domain.CodeLimitReached).At("customers").With("max", MaxListed)
	}
	return []ListEvent{RecipientsAdded{AutoMessage: autoMessage, Customers: added}}, nil
}
