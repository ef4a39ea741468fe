package commands

import (
	"context"
	"encoding/json"
)

// DefineGroup adds a group; Done.Group is its id. Refused: VALIDATION with the path in the rule ("rule.all[1].op") if it is no filter, and
// as in group.State.Define.
type DefineGroup struct {
	Name         string
	Rule         json.RawMessage // a filter, which may not read groups
	AgentVisible bool
}

// Run carries it out.
func (cmd DefineGroup) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		words := newVocabulary()
		if err := words.load(ctx, a); err != nil {
			return err
		}
		rule, err := words.rule(a, cmd.Rule)
		if err != nil {
			return err
		}
		all, id := words.groups, a.center.newID()
		events, err := all.state.Define(id, cmd.Name, rule, cmd.AgentVisible)
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.Group = id
		return nil
	})
}
