package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain"
)

// onJob loads an import, an export or a bulk action, and others with it, and appends what is decided.
func onJob[S any, P aggregate[S], E domain.Event](ctx context.Context, a *attempt, work *entity[S, P], id uuid.UUID, decide func(P) ([]E, error), others ...stream) error {
	if err := a.load(ctx, append(others, work)...); err != nil {
		return err
	}
	events, err := decide(work.state)
	if err != nil {
		return err
	}
	add(a, work, nobody, events)
	a.done.Job = id
	return nil
}
