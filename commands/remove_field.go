package commands

import (
	"context"

	"customercenter/domain/field"
)

// RemoveField takes a custom field away for good. Refused: PRECONDITION_FAILED, and as in field.State.Remove.
type RemoveField struct {
	Field string // its key
	// IfVersion is the version of the field that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd RemoveField) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.changeField(ctx, cmd.Field, cmd.IfVersion, func(s *field.State, used field.InUse) ([]field.Event, error) {
			return s.Remove(cmd.Field, used)
		})
	})
}
