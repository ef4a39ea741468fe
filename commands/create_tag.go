package commands

import (
	"context"
)

// CreateTag adds a tag to the catalogue; Done.Tag is its id. Refused as in tag.State.Create.
type CreateTag struct {
	Name string
}

// Run carries it out.
func (cmd CreateTag) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := tags()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		id := a.center.newID()
		events, err := all.state.Create(id, cmd.Name)
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.Tag = id
		return nil
	})
}
