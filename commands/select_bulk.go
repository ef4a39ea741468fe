package commands

import (
	"context"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
)

// SelectBulk settles whom a bulk action is about; who they are is kept apart. If it was settled before it changes nothing.
type SelectBulk struct {
	Bulk     uuid.UUID
	Selected bulk.Selected
}

// Run carries it out.
func (cmd SelectBulk) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.bulk(ctx, cmd.Bulk, func(s *bulk.State) ([]bulk.Event, error) { return s.Select(cmd.Selected), nil })
	})
}

// bulk loads a bulk action and appends what is decided.
func (a *attempt) bulk(ctx context.Context, id uuid.UUID, decide func(*bulk.State) ([]bulk.Event, error)) error {
	work := bulkOf(id)
	if err := a.load(ctx, work); err != nil {
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
