package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"customercenter/domain/bulk"
)

// StartBulk begins to do one thing to many customers: those who match a filter when it is got to, or those named; Done.Job is the id.
//
// Refused as in bulk.State.Start; VALIDATION with the path of what is wrong in the filter.
type StartBulk struct {
	Action    bulk.Action
	Tag       uuid.UUID
	Reason    string
	ExpiresAt time.Time       // zero: never
	Filter    json.RawMessage // {} is everybody; nil or null if the customers are named
	Customers []uuid.UUID
}

// Run carries it out.
func (cmd StartBulk) Run(ctx context.Context, c *Center, by By) (Done, error) {
	if bytes.Equal(bytes.TrimSpace(cmd.Filter), []byte("null")) {
		cmd.Filter = nil // to a filter it would mean everybody
	}
	return c.execute(ctx, by, func(ctx context.Context, a *attempt) error {
		id := a.center.newID()
		work, words := bulkOf(id), newVocabulary()
		if err := words.load(ctx, a, work); err != nil {
			return err
		}
		parsed, err := words.filter(a, cmd.Filter, "filter")
		if err != nil {
			return err
		}
		draft := bulk.Draft{Action: cmd.Action, Tag: cmd.Tag, Reason: cmd.Reason, ExpiresAt: cmd.ExpiresAt, Filter: parsed, Customers: cmd.Customers}
		events, err := work.state.Start(id, draft, a.now, words.tags.state.Known, words.groups.state.Known)
		if err != nil {
			return err
		}
		add(a, work, nobody, events)
		a.done.Job = id
		return nil
	})
}
