// Package domaintest runs given/when/then tables against the decisions of an aggregate.
package domaintest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"customercenter/domain"
)

// Start is the instant of the first given event; each further one is a minute later.
var Start = time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)

// Minute is the instant of the given event of that index.
func Minute(i int) time.Time { return Start.Add(time.Duration(i) * time.Minute) }

// Aggregate is a pointer to the state S of an aggregate.
type Aggregate[S any] interface {
	*S
	Apply(domain.Event, time.Time)
	Clone() S
}

// Case is one row of a table: what happened, what is asked for, and what comes of it.
type Case[S any, E domain.Event] struct {
	Name  string
	Given []domain.Event
	When  func(*S) ([]E, error)
	// Then is what the decision must append; nil for nothing.
	Then []E
	// Refused is the code with which it must be refused, and At the location; empty if it must be accepted.
	Refused, At string
}

// Fold returns the state after the events, with the instants of Minute.
func Fold[S any, P Aggregate[S]](events ...domain.Event) *S {
	state := new(S)
	for i, e := range events {
		P(state).Apply(e, Minute(i))
	}
	return state
}

// Run checks every case, and that no decision changes the state it is asked of.
func Run[S any, P Aggregate[S], E domain.Event](t *testing.T, cases []Case[S, E]) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			state := Fold[S, P](c.Given...)
			before := P(state).Clone()
			got, err := c.When(state)
			if !reflect.DeepEqual(*state, before) {
				t.Errorf("the decision changed the state from %+v to %+v", before, *state)
			}
			if c.Refused == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				if !reflect.DeepEqual(got, c.Then) {
					t.Fatalf("decided %#v, want %#v", got, c.Then)
				}
				return
			}
			var refusal *domain.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("decided %#v, %v, want it refused with %s", got, err, c.Refused)
			}
			if refusal.Code != c.Refused || refusal.Location != c.At {
				t.Errorf("refused with %s at %q, want %s at %q", refusal.Code, refusal.Location, c.Refused, c.At)
			}
			if got != nil {
				t.Errorf("refused and still decided %#v", got)
			}
		})
	}
}
