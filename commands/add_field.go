package commands

import (
	"context"

	"customercenter/domain/field"
)

// AddField adds a custom field, hidden and as the last one; Done.Field is its key. Refused as in field.State.Add.
type AddField struct {
	Key     string // empty: made of the label
	Type    string // see field.Types
	Label   string
	Hint    string
	Options []field.Choice
}

// Run carries it out.
func (cmd AddField) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all := fields()
		if err := a.load(ctx, all); err != nil {
			return err
		}
		events, err := all.state.Add(field.New(cmd))
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		for _, e := range events {
			if added, ok := e.(field.Added); ok {
				a.done.Field = added.Field
			}
		}
		return nil
	})
}
