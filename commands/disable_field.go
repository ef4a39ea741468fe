package commands

import (
	"context"

	"customercenter/domain/field"
)

// DisableField puts a custom field out of use; its values stay. Refused: PRECONDITION_FAILED, and as in field.State.Disable.
type DisableField struct {
	Field string // its key
	// IfVersion is the version of the field that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd DisableField) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.changeField(ctx, cmd.Field, cmd.IfVersion, func(s *field.State, used field.InUse) ([]field.Event, error) {
			return s.Disable(cmd.Field, used)
		})
	})
}
