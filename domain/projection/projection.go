package projection

import (
	"maps"
	"slices"
	"time"

	"customercenter/domain"
	"customercenter/domain/text"
)

// MaxReason is the longest reason, in characters.
const MaxReason = 500

// MaxPositions is how many events are skipped by one decision at most.
const MaxPositions = 1000

// State is which events are skipped, and where. Its zero value is that of a tenant without any.
type State struct{ skipped map[skip]struct{} }

type skip struct {
	projection string
	version    int
	position   int64
}

// Clone returns a copy that shares nothing that Apply changes.
func (s *State) Clone() State { return State{maps.Clone(s.skipped)} }

// Apply folds one event. Events of other aggregates are ignored.
func (s *State) Apply(e domain.Event, _ time.Time) {
	skipped, ok := e.(EventsSkipped)
	if !ok {
		return
	}
	if s.skipped == nil {
		s.skipped = map[skip]struct{}{}
	}
	for _, at := range skipped.Positions {
		s.skipped[skip{skipped.Projection, skipped.Version, at}] = struct{}{}
	}
}

// SkipEvents has a read model pass over events of one customer, for a reason that people wrote. Those that are skipped already are left out; if all
// are, nothing happens.
//
// Refused: VALIDATION for a reason that is missing, holds control characters or is longer than MaxReason, and for no positions or more than MaxPositions.
func (s *State) SkipEvents(e EventsSkipped) ([]Event, error) {
	reason, ok := text.Block(e.Reason)
	switch {
	case !ok:
		return nil, domain.Invalid("reason", domain.RuleCharacters)
	case reason == "":
		return nil, domain.Invalid("reason", domain.RuleRequired)
	case text.Length(reason) > MaxReason:
		return nil, domain.TooLong("reason", MaxReason)
	case len(e.Positions) == 0:
		return nil, domain.Invalid("positions", domain.RuleRequired)
	case len(e.Positions) > MaxPositions:
		return nil, domain.Refuse(domain.CodeLimitReached).At("positions").With("max", MaxPositions)
	}
	e.Reason, e.Positions = reason, slices.DeleteFunc(slices.Sorted(slices.Values(e.Positions)), func(at int64) bool {
		_, already := s.skipped[skip{e.Projection, e.Version, at}]
		return already
	})
	if e.Positions = slices.Compact(e.Positions); len(e.Positions) == 0 {
		return nil, nil
	}
	return []Event{e}, nil
}
