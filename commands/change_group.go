package commands

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"customercenter/domain"
	"customercenter/domain/group"
)

// ChangeGroup renames a group, revises its rule and sets whether agents see it, all or none. What is nil stays as it is.
// Refused: NOT_FOUND, PRECONDITION_FAILED; VALIDATION with the path in the rule if it is no filter; and as in group.State.Rename,
// Revise and SetVisibility.
type ChangeGroup struct {
	Group        uuid.UUID
	Name         *string
	Rule         json.RawMessage // a filter, which may not read groups
	AgentVisible *bool
	// IfVersion is the version of the group that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd ChangeGroup) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		words := newVocabulary()
		if err := words.load(ctx, a); err != nil {
			return err
		}
		all := words.groups
		if !all.state.Known(cmd.Group) {
			return domain.Refuse(domain.CodeNotFound)
		}
		if err := seen(cmd.IfVersion, all.state.All[cmd.Group].Version); err != nil {
			return err
		}
		decide := func(events []group.Event, err error) error {
			add(a, all, nobody, events)
			return err
		}
		if cmd.Name != nil {
			if err := decide(all.state.Rename(cmd.Group, *cmd.Name)); err != nil {
				return err
			}
		}
		if cmd.Rule != nil {
			rule, err := words.rule(a, cmd.Rule)
			if err != nil {
				return err
			}
			if err := decide(all.state.Revise(cmd.Group, rule)); err != nil {
				return err
			}
		}
		if cmd.AgentVisible != nil {
			if err := decide(all.state.SetVisibility(cmd.Group, *cmd.AgentVisible)); err != nil {
				return err
			}
		}
		a.done.Group = cmd.Group
		return nil
	})
}
