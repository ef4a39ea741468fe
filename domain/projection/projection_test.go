package projection_test

import (
	"strings"
	"testing"

	"customercenter/domain"
	"customercenter/domain/domaintest"
	. "customercenter/domain/projection"
)

func TestDecisions(t *testing.T) {
	skip := func(reason string, at ...int64) func(*State) ([]Event, error) {
		return func(s *State) ([]Event, error) {
			return s.SkipEvents(EventsSkipped{Projection: "customers", Version: 5, Positions: at, Reason: reason})
		}
	}
	why := func(version int, at ...int64) EventsSkipped {
		return EventsSkipped{Projection: "customers", Version: version, Positions: at, Reason: "a fault of 5"}
	}
	longest := strings.Repeat("因", MaxReason)
	given := func(e ...domain.Event) []domain.Event { return e }
	domaintest.Run(t, []domaintest.Case[State, Event]{
		{Name: "skip", When: skip(" a fault of 5\n", 9, 7, 9), Then: []Event{why(5, 7, 9)}},
		{Name: "skip the rest", Given: given(why(5, 7)), When: skip("a fault of 5", 7, 9), Then: []Event{why(5, 9)}},
		{Name: "skip again", Given: given(why(5, 7), why(5, 9)), When: skip("another reason", 7, 9)},
		{Name: "skipped in another version", Given: given(why(4, 7)), When: skip("a fault of 5", 7), Then: []Event{why(5, 7)}},
		{Name: "longest reason", When: skip(longest, 7), Then: []Event{EventsSkipped{Projection: "customers", Version: 5, Positions: []int64{7}, Reason: longest}}},
		{Name: "reason too long", When: skip(longest+"因", 7), Refused: domain.CodeValidation, At: "reason"},
		{Name: "no reason", When: skip(" \n ", 7), Refused: domain.CodeValidation, At: "reason"},
		{Name: "no reason, although skipped", Given: given(why(5, 7)), When: skip("", 7), Refused: domain.CodeValidation, At: "reason"},
		{Name: "NUL", When: skip("a\x00b", 7), Refused: domain.CodeValidation, At: "reason"},
		{Name: "nothing", When: skip("a fault"), Refused: domain.CodeValidation, At: "positions"},
		{Name: "too many", When: skip("a fault", make([]int64, MaxPositions+1)...), Refused: domain.CodeLimitReached, At: "positions"},
	})
}
