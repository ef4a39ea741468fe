package commands

import (
	"context"

	"github.com/google/uuid"
)

// RenameTag gives a tag another name. Refused as in tag.State.Rename.
type RenameTag struct {
	Tag  uuid.UUID
	Name string
}

// Run carries it out.
func (cmd RenameTag) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := tags()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Rename(cmd.Tag, cmd.Name)
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.Tag = cmd.Tag
		return nil
	})
}
