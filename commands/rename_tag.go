package commands

import (
	"context"

	"github.com/google/uuid"
)

// RenameTag gives a tag another name. Refused: PRECONDITION_FAILED, and as in tag.State.Rename.
type RenameTag struct {
	Tag  uuid.UUID
	Name string
	// IfVersion is the version of the tag that the caller has seen; 0 for any.
	IfVersion int64
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
		if err := seen(cmd.IfVersion, all.state.Versions[cmd.Tag]); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.Tag = cmd.Tag
		return nil
	})
}
