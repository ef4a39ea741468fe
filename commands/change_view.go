package commands

import (
	"context"

	"github.com/google/uuid"
)

// ChangeView changes a view, and shares it or stops that, all or none. What is nil stays as it is.
// Refused: PRECONDITION_FAILED; VALIDATION with the path in the filter if it is none; and as in view.State.Change.
type ChangeView struct {
	View uuid.UUID
	ViewDraft
	// IfVersion is the version of the view that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd ChangeView) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, words := views(), newVocabulary()
		if err := words.load(ctx, a, all); err != nil {
			return err
		}
		draft, err := cmd.read(a, words)
		if err != nil {
			return err
		}
		events, err := all.state.Change(cmd.View, by.person(cmd.Admin), draft, words.known(cmd.Admin))
		if err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, all.state.All[cmd.View].Version); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.View = cmd.View
		return nil
	})
}
