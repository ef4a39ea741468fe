package commands

import (
	"context"

	"customercenter/domain/field"
)

// HideField takes a field off the pages. Refused: PRECONDITION_FAILED, and as in field.State.Hide.
type HideField struct {
	Field string // its key
	// IfVersion is the version of the field that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd HideField) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.changeField(ctx, cmd.Field, cmd.IfVersion, func(s *field.State, _ field.InUse) ([]field.Event, error) {
			return s.Hide(cmd.Field)
		})
	})
}
