package commands

import (
	"context"
	"encoding/json"

	"customercenter/domain/exports"
)

// RequestExport asks for a file of the customers who match a filter; Done.Job is the id of the export.
//
// Refused as in exports.State.Request; VALIDATION with the path of what is wrong in the filter.
type RequestExport struct {
	Filter   json.RawMessage // {} or nothing is everybody
	Sort     string
	Columns  []string
	Format   string
	Language string
}

// Run carries it out.
func (cmd RequestExport) Run(ctx context.Context, c *Center, by By) (Done, error) {
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		id := a.center.newID()
		work, words := exportOf(id), newVocabulary()
		if err := words.load(ctx, a, work); err != nil {
			return err
		}
		if len(cmd.Filter) == 0 {
			cmd.Filter = json.RawMessage(`{}`)
		}
		parsed, err := words.filter(a, cmd.Filter, "filter")
		if err != nil {
			return err
		}
		draft := exports.Draft{Filter: parsed, Sort: cmd.Sort, Columns: cmd.Columns, Format: cmd.Format, Language: cmd.Language}
		events, err := work.state.Request(id, draft, words.fields.state, words.tags.state.Known, words.groups.state.Known)
		if err != nil {
			return err
		}
		add(a, work, nobody, events)
		a.done.Job = id
		return nil
	})
}
