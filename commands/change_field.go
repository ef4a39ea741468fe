package commands

import (
	"context"

	"customercenter/domain/field"
)

// ChangeField changes several things of a field at once, all or none. What is nil stays as it is.
// Refused: NOT_FOUND, PRECONDITION_FAILED; for the first that is wrong, as the commands that change a single one, and as in
// field.State.Change.
type ChangeField struct {
	Field   string // its key
	Label   *string
	Hint    *string
	Options *[]field.Choice // all that there are to be; those with an id are kept
	Shown   *bool
	Enabled *bool
	// IfVersion is the version of the field that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd ChangeField) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		return a.changeField(ctx, cmd.Field, cmd.IfVersion, func(s *field.State, used field.InUse) ([]field.Event, error) {
			events, err := s.Change(cmd.Field, field.Changes{Label: cmd.Label, Hint: cmd.Hint, Options: cmd.Options}, used)
			if err != nil {
				return nil, err
			}
			also := func(more []field.Event, wrong error) {
				if err == nil {
					events, err = append(events, more...), wrong
				}
			}
			if cmd.Shown != nil && *cmd.Shown {
				also(s.Show(cmd.Field))
			}
			if cmd.Shown != nil && !*cmd.Shown {
				also(s.Hide(cmd.Field))
			}
			if cmd.Enabled != nil && *cmd.Enabled {
				also(s.Enable(cmd.Field))
			}
			if cmd.Enabled != nil && !*cmd.Enabled {
				also(s.Disable(cmd.Field, used))
			}
			return events, err
		})
	})
}

// changeField adds what decide decides of a field, if the field has the version that the caller has seen. Whatever may speak of the field
// does not change meanwhile.
func (a *attempt) changeField(ctx context.Context, key string, ifVersion int64, decide func(*field.State, field.InUse) ([]field.Event, error)) error {
	all := fields()
	used, guard, err := a.fieldUses(ctx, all)
	if err != nil {
		return err
	}
	events, err := decide(all.state, used)
	if err != nil {
		return err
	}
	before, _ := all.state.Find(key)
	if err := seen(ifVersion, before.Version); err != nil {
		return err
	}
	guard()
	add(a, all, nobody, events)
	a.done.Field = key
	return nil
}
