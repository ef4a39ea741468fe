package commands

import (
	"context"

	"github.com/google/uuid"
)

// DeleteTag takes a tag out of the catalogue and off every customer's view. Refused: TAG_UNKNOWN, PRECONDITION_FAILED, and TAG_IN_USE while an auto
// message is running whose audience depends on it, by itself or by the rule of a group.
type DeleteTag struct {
	Tag uuid.UUID
	// IfVersion is the version of the tag that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd DeleteTag) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, rules, messages := tags(), groups(), autoMessages()
		if err := a.load(ctx, all, rules, messages); err != nil {
			return err
		}
		events, err := all.state.Delete(cmd.Tag, messages.state.Sending([]uuid.UUID{cmd.Tag}, rules.state.DependingOn(cmd.Tag)))
		if err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, all.state.Versions[cmd.Tag]); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.guard(rules)
		a.guard(messages) // or one could be started at the same time
		a.done.Tag = cmd.Tag
		return nil
	})
}
