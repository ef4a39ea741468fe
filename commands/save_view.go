package commands

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"

	"customercenter/domain/view"
)

// SaveView makes a view, or changes one, and shares it or stops that, all or none; Done.View is its id. The actor is its owner, or an admin
// who changes a shared one. What is nil stays as it is.
// Refused: VALIDATION with the path in the filter if it is none; and as in view.State.Create or Change; PRECONDITION_FAILED.
type SaveView struct {
	View    uuid.UUID // uuid.Nil: a new one
	Name    *string
	Filter  json.RawMessage // may read groups
	Sort    *string
	Columns *[]string
	Shared  *bool
	// Admin is set if the actor is an admin.
	Admin bool
	// IfVersion is the version of the view that the caller has seen; 0 for any.
	IfVersion int64
}

// Run carries it out.
func (cmd SaveView) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, words := views(), newVocabulary()
		if err := words.load(ctx, a, all); err != nil {
			return err
		}
		draft := view.Draft{Name: cmd.Name, Sort: cmd.Sort, Columns: cmd.Columns, Shared: cmd.Shared}
		var err error
		if draft.Filter, err = words.filter(a, cmd.Filter); err != nil {
			return err
		}
		id, who := cmd.View, view.Person{Owner: view.Owner{Kind: by.Actor.Kind, ID: by.Actor.ID}, Admin: cmd.Admin}
		var events []view.Event
		if id == uuid.Nil {
			id = a.center.newID()
			events, err = all.state.Create(id, who, draft, words.known())
		} else {
			events, err = all.state.Change(id, who, draft, words.known())
		}
		if err != nil {
			return err
		}
		if err := seen(cmd.IfVersion, all.state.All[id].Version); err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.View = id
		return nil
	})
}
