package commands

import "context"

// ReorderFields says in which order the fields stand. Refused: PRECONDITION_FAILED, and as in field.State.Reorder.
type ReorderFields struct {
	Order []string // the keys of all fields that exist
	// IfVersion is the version of the order that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd ReorderFields) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := fields()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Reorder(cmd.Order)
		if err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, all.state.OrderVersion()); err != nil {
			return err
		}
		add(a, all, nobody, events)
		return nil
	})
}
