package commands

import (
	"context"
	"encoding/json"

	"customercenter/domain/view"
)

// SaveView makes a view, whose owner is the actor; Done.View is its id. What is nil is as in view.Draft.
// Refused: VALIDATION with the path in the filter if it is none; and as in view.State.Create.
type SaveView struct {
	ViewDraft
}

// ViewDraft is what a view is to be.
type ViewDraft struct {
	Name    *string
	Filter  json.RawMessage // may read groups
	Sort    *string
	Columns *[]string
	Shared  *bool
	// Admin is set if the actor is an admin.
	Admin bool
}

// Run carries it out.
func (cmd SaveView) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		all, words := views(), newVocabulary()
		if err := words.load(ctx, a, all); err != nil {
			return err
		}
		draft, err := cmd.read(a, words)
		if err != nil {
			return err
		}
		id := a.center.newID()
		events, err := all.state.Create(id, by.person(cmd.Admin), draft, words.known(cmd.Admin))
		if err != nil {
			return err
		}
		add(a, all, nobody, events)
		a.done.View = id
		return nil
	})
}

// read reads the draft with its filter.
func (d ViewDraft) read(a *attempt, words vocabulary) (view.Draft, error) {
	draft := view.Draft{Name: d.Name, Sort: d.Sort, Columns: d.Columns, Shared: d.Shared}
	var err error
	draft.Filter, err = words.filter(a, d.Filter, "filter")
	return draft, err
}

// person is the actor as the owner of views.
func (by By) person(admin bool) view.Person {
	return view.Person{Owner: view.Owner{Kind: by.Actor.Kind, ID: by.Actor.ID}, Admin: admin}
}
