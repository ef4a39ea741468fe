package api

import (
	"context"
	"time"

	"customercenter/projections"
)

// List is one page of anything.
type List[T any] struct {
	Items   []T                `json:"items" nullable:"false"`
	Next    string             `json:"next,omitempty" doc:"Cursor of the next page; absent at the end."`
	Prev    string             `json:"prev,omitempty" doc:"Cursor of the page before; absent at the beginning."`
	Count   *projections.Count `json:"count,omitempty"`
	Partial bool               `json:"partial,omitempty" doc:"The search ran out of its budget; next goes on where it stopped."`
}

// whole is the list of a catalogue, which is always given at once.
func whole[T any](items []T) List[T] {
	if items == nil {
		items = []T{}
	}
	return List[T]{Items: items, Count: &projections.Count{Value: int64(len(items)), Exact: true}}
}

// waitFor is how long a read waits for the position it is to include.
const waitFor = 2 * time.Second

type patienceKey struct{}

// WithPatience returns a context for requests inside this process whose reads wait for the position they are to include for so long, and
// no longer.
func WithPatience(ctx context.Context, patience time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, patience)
}

// serve waits until a read model includes the position that the caller wants, and says what it includes. That of the past is as it is.
func (s *server) serve(ctx context.Context, model, tenant string, after After) (Served, error) {
	if s.past != nil {
		return Served{LogPosition: s.past.Position}, nil
	}
	patience, ok := ctx.Value(patienceKey{}).(time.Duration)
	if !ok {
		patience = waitFor
	}
	var served int64
	var fresh bool
	err := requestOf(ctx).turn.aside(ctx, func() (err error) {
		served, fresh, err = s.Projector.WaitFor(ctx, model, tenant, after.position(), patience)
		return err
	})
	if err != nil {
		return Served{}, err
	}
	out := Served{LogPosition: served}
	if !fresh {
		out.Stale = "true"
	}
	return out, nil
}
